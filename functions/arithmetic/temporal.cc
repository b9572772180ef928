#include "functions/arithmetic/temporal.h"

#include "data/datetime.h"
#include "functions/signature.h"
#include "functions/time/units.h"
#include "runtime/spi/kernel.h"

namespace millrace {

namespace {

bool is_interval_type(const DataType& type) {
  return type.kind == TypeKind::kIntervalMillis || type.kind == TypeKind::kIntervalMonths;
}

/// time + sign * interval in the time's unit.
bool add_interval(TypeKind kind, int64_t value, TypeKind interval_kind, int64_t interval, int64_t& out) {
  constexpr int64_t kMonthsMax = 12 * 1'000'000;
  if (interval_kind == TypeKind::kIntervalMonths) {
    if (interval > kMonthsMax || interval < -kMonthsMax) return false;
    if (kind == TypeKind::kDate)
      out = add_months_to_days(value, interval);
    else
      out = add_months_to_millis(value, interval);
    return true;
  }
  if (kind == TypeKind::kDate) {
    out = floor_div(value * kMillisPerDay + interval, kMillisPerDay);
    return out >= INT32_MIN && out <= INT32_MAX;
  }
  if (__builtin_add_overflow(value, interval, &out)) return false;
  if (kind == TypeKind::kTime) out = floor_mod(out, kMillisPerDay);
  return true;
}

void scale_interval(const KernelArgs& call) {
  bool first = is_interval_type(*call.types[0]);
  bool divide = call.expr != nullptr && call.expr->name == "/";
  IntegerReader interval(call, first ? 0 : 1);
  IntegerReader factor(call, first ? 1 : 0);
  for (uint32_t row : call.rows) {
    int64_t value = 0;
    if (divide) {
      if (factor[row] == 0) {
        call.fail(row, "division by zero");
        continue;
      }
      value = interval[row] / factor[row];
    } else if (__builtin_mul_overflow(interval[row], factor[row], &value)) {
      call.fail(row, "INTERVAL overflow");
      continue;
    }
    put_integer(call.out, row, value);
  }
}

void difference_kernel(const KernelArgs& call) {
  IntegerReader a(call, 0);
  IntegerReader b(call, 1);
  bool months = call.result_type->kind == TypeKind::kIntervalMonths;
  auto millis = [&](size_t index, int64_t value) {
    return call.types[index]->kind == TypeKind::kDate ? value * kMillisPerDay : value;
  };
  for (uint32_t row : call.rows) {
    int64_t from = millis(1, b[row]);
    int64_t to = millis(0, a[row]);
    put_integer(call.out, row, months ? months_between(from, to) : to - from);
  }
}

Result<ResolvedCall> resolve_difference(ArgTypes types, ArgLiterals literals) {
  const std::string* unit = literal_text(literals, 2);
  bool times = types.size() == 3 && types[0]->is_temporal() && types[1]->is_temporal();
  bool mixed = times && (types[0]->kind == TypeKind::kTime) != (types[1]->kind == TypeKind::kTime);
  if (!times || mixed || unit == nullptr) return argument_error("-", types, "two dates or two timestamps");
  bool months = *unit == "MONTH" || *unit == "YEAR" || *unit == "QUARTER";
  bool nullable = types[0]->nullable || types[1]->nullable;
  TypePtr type =
      make_temporal(months ? TypeKind::kIntervalMonths : TypeKind::kIntervalMillis, months ? 0 : 3, nullable);
  return ResolvedCall{type, {types[0], types[1], types[2]}, nullptr};
}

}  // namespace

std::optional<ResolvedCall> resolve_temporal(std::string_view symbol, const std::vector<TypePtr>& types) {
  const TypePtr& a = types[0];
  const TypePtr& b = types[1];
  bool nullable = a->nullable || b->nullable;
  bool add = symbol == "+";
  bool subtract = symbol == "-";
  if (is_interval_type(*a) && is_interval_type(*b)) {
    if ((!add && !subtract) || a->kind != b->kind) return std::nullopt;
    return ResolvedCall{with_nullable(a, nullable), {a, b}, nullptr};
  }
  auto adds = [](const DataType& time, const DataType& interval) {
    return time.is_temporal() && is_interval_type(interval) &&
           !(time.kind == TypeKind::kTime && interval.kind == TypeKind::kIntervalMonths);
  };
  if ((add || subtract) && adds(*a, *b)) return ResolvedCall{with_nullable(a, nullable), {a, b}, nullptr};
  if (add && adds(*b, *a)) return ResolvedCall{with_nullable(b, nullable), {a, b}, nullptr};
  if (symbol == "*" && is_interval_type(*a) && b->is_integer()) {
    return ResolvedCall{with_nullable(a, nullable), {a, b}, nullptr};
  }
  if (symbol == "*" && is_interval_type(*b) && a->is_integer()) {
    return ResolvedCall{with_nullable(b, nullable), {a, b}, nullptr};
  }
  if (symbol == "/" && is_interval_type(*a) && b->is_integer()) {
    return ResolvedCall{with_nullable(a, nullable), {a, b}, nullptr};
  }
  return std::nullopt;
}

void temporal_kernel(const KernelArgs& call, bool subtract) {
  const DataType& first = *call.types[0];
  const DataType& second = *call.types[1];
  if (first.is_numeric() || second.is_numeric()) return scale_interval(call);
  bool interval_first = is_interval_type(first) && !is_interval_type(second);
  IntegerReader time(call, interval_first ? 1 : 0);
  IntegerReader interval(call, interval_first ? 0 : 1);
  TypeKind kind = call.result_type->kind;
  TypeKind interval_kind = interval_first ? first.kind : second.kind;
  bool intervals = is_interval_type(*call.result_type);
  for (uint32_t row : call.rows) {
    int64_t amount = interval[row];
    int64_t value = 0;
    bool fits = amount != INT64_MIN;
    if (subtract) amount = fits ? -amount : 0;
    if (fits) {
      fits = intervals ? !__builtin_add_overflow(time[row], amount, &value)
                       : add_interval(kind, time[row], interval_kind, amount, value);
    }
    if (fits) {
      put_integer(call.out, row, value);
    } else {
      call.fail(row, call.result_type->to_string() + " overflow");
    }
  }
}

void register_temporal_arithmetic(FunctionRegistry& registry) {
  add_function(registry, "- INTERVAL", resolve_difference, difference_kernel, "the difference of two times");
}

}  // namespace millrace
