// EXTRACT and its short forms, FLOOR and CEIL TO, TIMESTAMPADD, TIMESTAMPDIFF, OVERLAPS and the current time.
#include "functions/time/time.h"

#include <fmt/format.h>

#include <algorithm>

#include "data/datetime.h"
#include "functions/register_all.h"
#include "functions/signature.h"
#include "functions/time/units.h"
#include "runtime/spi/kernel.h"

namespace millrace {

namespace {

const std::string& bound_unit(const KernelArgs& call) { return *static_cast<const std::string*>(call.bound); }

std::shared_ptr<const std::string> own_unit(std::string unit) {
  return std::make_shared<const std::string>(std::move(unit));
}

bool is_interval_kind(TypeKind kind) { return kind == TypeKind::kIntervalMillis || kind == TypeKind::kIntervalMonths; }

/// EXTRACT from an interval: years and months of one kind, days to milliseconds of the other.
std::optional<int64_t> extract_interval(TypeKind kind, int64_t value, std::string_view unit) {
  if (kind == TypeKind::kIntervalMonths) {
    if (unit == "YEAR") return value / 12;
    if (unit == "MONTH") return value % 12;
    if (unit == "QUARTER") return value % 12 / 3 + 1;
    return std::nullopt;
  }
  if (unit == "DAY") return value / kMillisPerDay;
  if (unit == "HOUR") return value % kMillisPerDay / 3'600'000;
  if (unit == "MINUTE") return value % 3'600'000 / 60'000;
  if (unit == "SECOND") return value % 60'000 / 1000;
  if (unit == "MILLISECOND") return value % 1000;
  if (unit == "EPOCH") return value / 1000;
  return std::nullopt;
}

/// The time is the last argument: EXTRACT has the unit before it.
void extract_kernel(const KernelArgs& call) {
  const size_t index = call.args.size() - 1;
  IntegerReader value(call, index);
  const DataType& type = *call.types[index];
  const std::string& unit = bound_unit(call);
  int64_t* out = call.out.values<int64_t>();
  for_rows(call.rows, [&](uint32_t row) {
    out[row] = is_interval_kind(type.kind) ? *extract_interval(type.kind, value[row], unit)
                                           : *extract_unit(temporal_millis(type, value[row]), unit);
  });
}

Result<ResolvedCall> resolve_extract_of(std::string_view name, const std::string& unit, const TypePtr& type,
                                        ArgTypes types) {
  static constexpr std::string_view kClock[] = {"HOUR",        "MINUTE",     "SECOND", "MILLISECOND",
                                                "MICROSECOND", "NANOSECOND", "EPOCH"};
  bool fits = false;
  if (is_interval_kind(type->kind)) {
    fits = extract_interval(type->kind, 0, unit).has_value();
  } else if (type->kind == TypeKind::kTime) {
    fits = std::ranges::find(kClock, unit) != std::end(kClock);
  } else {
    fits = type->is_temporal() && is_extract_unit(unit);
  }
  if (!fits) return argument_error(name, types, fmt::format("a time that has {}", unit));
  std::vector<TypePtr> targets(types.begin(), types.end());
  return ResolvedCall{make_type(TypeKind::kBigInt, type->nullable), std::move(targets), own_unit(unit)};
}

Result<ResolvedCall> resolve_extract(ArgTypes types, ArgLiterals literals) {
  const std::string* unit = literal_text(literals, 0);
  if (types.size() != 2 || unit == nullptr) return argument_error("EXTRACT", types, "EXTRACT(unit FROM time)");
  if (types[1]->kind == TypeKind::kNull) {
    return ResolvedCall{make_type(TypeKind::kBigInt), {types[0], make_type(TypeKind::kTimestamp)}, own_unit(*unit)};
  }
  return resolve_extract_of("EXTRACT", *unit, types[1], types);
}

void add_field(FunctionRegistry& registry, std::string name, std::string unit) {
  auto resolve = [name, unit](ArgTypes types, ArgLiterals) -> Result<ResolvedCall> {
    if (types.size() != 1) return argument_count_error(name, types.size(), name + "(time)");
    return resolve_extract_of(name, unit, types[0], types);
  };
  add_function(registry, name, resolve, extract_kernel, fmt::format("{} of a date or timestamp", unit));
}

template <bool kCeil>
void floor_kernel(const KernelArgs& call) {
  IntegerReader value(call, 0);
  const DataType& type = *call.types[0];
  const std::string& unit = bound_unit(call);
  for_rows(call.rows, [&](uint32_t row) {
    int64_t millis = temporal_millis(type, value[row]);
    int64_t result = kCeil ? *ceil_to_unit(millis, unit) : *floor_to_unit(millis, unit);
    if (type.kind == TypeKind::kDate) result = floor_div(result, kMillisPerDay);
    if (type.kind == TypeKind::kTime) result = floor_mod(result, kMillisPerDay);
    put_integer(call.out, row, result);
  });
}

ResolveFunction resolve_floor_to(std::string name) {
  return [name](ArgTypes types, ArgLiterals literals) -> Result<ResolvedCall> {
    const std::string* unit = literal_text(literals, 1);
    bool time = types.size() == 2 && types[0]->kind == TypeKind::kTime;
    bool fits = types.size() == 2 && unit != nullptr && types[0]->is_temporal() && floor_to_unit(0, *unit);
    if (fits && time) fits = fixed_unit_millis(*unit).has_value() && *unit != "WEEK";
    if (!fits) return argument_error(name, types, name + " a unit of a date or timestamp");
    return ResolvedCall{types[0], {types[0], types[1]}, own_unit(*unit)};
  };
}

/// (unit, amount, time).
void timestamp_add_kernel(const KernelArgs& call) {
  IntegerReader amount(call, 1);
  IntegerReader value(call, 2);
  const DataType& type = *call.types[2];
  const std::string& unit = bound_unit(call);
  auto months = unit_months(unit);
  auto millis = fixed_unit_millis(unit);
  TypeKind result = call.result_type->kind;
  for (uint32_t row : call.rows) {
    int64_t time = temporal_millis(type, value[row]);
    int64_t delta = 0;
    bool fits = !__builtin_mul_overflow(amount[row], months ? *months : *millis, &delta);
    if (months) {
      fits = fits && delta < 12'000'000 && delta > -12'000'000;
      if (fits) time = add_months_to_millis(time, delta);
    } else {
      fits = fits && !__builtin_add_overflow(time, delta, &time);
    }
    if (result == TypeKind::kDate) time = floor_div(time, kMillisPerDay);
    if (result == TypeKind::kTime) time = floor_mod(time, kMillisPerDay);
    if (fits)
      put_integer(call.out, row, time);
    else
      call.fail(row, fmt::format("{} overflow", call.result_type->to_string()));
  }
}

Result<ResolvedCall> resolve_timestamp_add(ArgTypes types, ArgLiterals literals) {
  const std::string* unit = literal_text(literals, 0);
  bool fits = types.size() == 3 && unit != nullptr && (types[1]->is_integer() || types[1]->kind == TypeKind::kNull) &&
              types[2]->is_temporal() && (unit_months(*unit) || fixed_unit_millis(*unit));
  if (!fits) return argument_error("TIMESTAMPADD", types, "TIMESTAMPADD(unit, INT, time)");
  TypePtr amount = types[1]->kind == TypeKind::kNull ? make_type(TypeKind::kInt) : types[1];
  const TypePtr& time = types[2];
  bool nullable = amount->nullable || time->nullable;
  bool clock = *unit == "HOUR" || *unit == "MINUTE" || *unit == "SECOND" || *unit == "MILLISECOND";
  TypePtr result = with_nullable(time, nullable);
  if (time->kind == TypeKind::kDate && clock) result = make_temporal(TypeKind::kTimestamp, 6, nullable);
  if (time->kind == TypeKind::kTime && !clock)
    return argument_error("TIMESTAMPADD", types, "a unit of the clock for a TIME");
  return ResolvedCall{result, {types[0], amount, time}, own_unit(*unit)};
}

/// (unit, from, to).
void timestamp_diff_kernel(const KernelArgs& call) {
  IntegerReader from(call, 1);
  IntegerReader to(call, 2);
  const std::string& unit = bound_unit(call);
  auto months = unit_months(unit);
  auto millis = fixed_unit_millis(unit);
  for_rows(call.rows, [&](uint32_t row) {
    int64_t start = temporal_millis(*call.types[1], from[row]);
    int64_t end = temporal_millis(*call.types[2], to[row]);
    int64_t difference = months ? months_between(start, end) / *months : (end - start) / *millis;
    if (difference > INT32_MAX || difference < INT32_MIN) return call.fail(row, "INT overflow");
    put_integer(call.out, row, difference);
  });
}

Result<ResolvedCall> resolve_timestamp_diff(ArgTypes types, ArgLiterals literals) {
  const std::string* unit = literal_text(literals, 0);
  bool fits = types.size() == 3 && unit != nullptr && types[1]->is_temporal() && types[2]->is_temporal() &&
              (types[1]->kind == TypeKind::kTime) == (types[2]->kind == TypeKind::kTime) &&
              (unit_months(*unit) || fixed_unit_millis(*unit));
  if (!fits) return argument_error("TIMESTAMPDIFF", types, "TIMESTAMPDIFF(unit, from, to)");
  return ResolvedCall{make_type(TypeKind::kInt, types[1]->nullable || types[2]->nullable),
                      {types.begin(), types.end()},
                      own_unit(*unit)};
}

/// Two periods, each as start and end or start and length; the ends are not part of a period unless it is a point.
struct Period {
  int64_t start;
  int64_t end;
};

Period read_period(const KernelArgs& call, size_t index, uint32_t row) {
  const Column& pair = *call.args[index];
  const DataType& type = *call.types[index];
  uint32_t at = call.constant[index] != 0 ? 0 : row;
  int64_t start = temporal_millis(*type.children[0], IntegerReader(*pair.children()[0], false)[at]);
  int64_t other = IntegerReader(*pair.children()[1], false)[at];
  int64_t end = 0;
  switch (type.children[1]->kind) {
    case TypeKind::kIntervalMillis:
      end = start + other;
      break;
    case TypeKind::kIntervalMonths:
      end = add_months_to_millis(start, other);
      break;
    default:
      end = temporal_millis(*type.children[1], other);
      break;
  }
  return start <= end ? Period{start, end} : Period{end, start};
}

void overlaps_kernel(const KernelArgs& call) {
  uint8_t* out = call.out.values<uint8_t>();
  for (uint32_t row : call.rows) {
    bool null = false;
    for (size_t i = 0; i < 2; ++i) {
      uint32_t at = call.constant[i] != 0 ? 0 : row;
      for (const ColumnPtr& part : call.args[i]->children()) null = null || part->is_null(at);
    }
    if (null) {
      call.out.set_null(row);
      continue;
    }
    Period a = read_period(call, 0, row);
    Period b = read_period(call, 1, row);
    out[row] = a.end >= b.start && b.end >= a.start ? 1 : 0;
  }
}

Result<ResolvedCall> resolve_overlaps(ArgTypes types, ArgLiterals) {
  for (const TypePtr& type : types) {
    bool pair = type->kind == TypeKind::kRow && type->children.size() == 2 && type->children[0]->is_temporal();
    bool end =
        pair && (is_interval_kind(type->children[1]->kind) || type->children[1]->kind == type->children[0]->kind);
    if (!end) return argument_error("OVERLAPS", types, "(start, end) OVERLAPS (start, end)");
  }
  bool nullable = false;
  for (const TypePtr& type : types) {
    for (const TypePtr& part : type->children) nullable = nullable || part->nullable;
  }
  return ResolvedCall{make_type(TypeKind::kBoolean, nullable), {types.begin(), types.end()}, nullptr};
}

void now_kernel(const KernelArgs& call) {
  int64_t value = call.now_ms;
  TypeKind kind = call.result_type->kind;
  if (kind == TypeKind::kDate) value = floor_div(value, kMillisPerDay);
  if (kind == TypeKind::kTime) value = floor_mod(value, kMillisPerDay) / 1000 * 1000;
  for (uint32_t row : call.rows) put_integer(call.out, row, value);
}

void add_now(FunctionRegistry& registry, std::string name, TypePtr type) {
  auto resolve = [name, type](ArgTypes types, ArgLiterals) -> Result<ResolvedCall> {
    if (!types.empty()) return argument_count_error(name, types.size(), "no arguments");
    return ResolvedCall{type, {}, nullptr};
  };
  add_function(registry, name, resolve, now_kernel, "the current time in UTC", {true, false});
}

}  // namespace

void register_time(FunctionRegistry& registry) {
  add_function(registry, "EXTRACT", resolve_extract, extract_kernel, "EXTRACT(unit FROM time)");
  static constexpr std::pair<const char*, const char*> kFields[] = {
      {"YEAR", "YEAR"},      {"QUARTER", "QUARTER"}, {"MONTH", "MONTH"}, {"WEEK", "WEEK"},     {"DAYOFYEAR", "DOY"},
      {"DAYOFMONTH", "DAY"}, {"DAYOFWEEK", "DOW"},   {"HOUR", "HOUR"},   {"MINUTE", "MINUTE"}, {"SECOND", "SECOND"}};
  for (const auto& [name, unit] : kFields) add_field(registry, name, unit);
  add_function(registry, "FLOOR TO", resolve_floor_to("FLOOR TO"), floor_kernel<false>, "FLOOR(time TO unit)");
  add_function(registry, "CEIL TO", resolve_floor_to("CEIL TO"), floor_kernel<true>, "CEIL(time TO unit)");
  add_function(registry, "TIMESTAMPADD", resolve_timestamp_add, timestamp_add_kernel, "TIMESTAMPADD(unit, n, time)");
  add_function(registry, "TIMESTAMPDIFF", resolve_timestamp_diff, timestamp_diff_kernel,
               "TIMESTAMPDIFF(unit, from, to)");
  add_function(registry, "OVERLAPS", resolve_overlaps, overlaps_kernel, "(start, end) OVERLAPS (start, end)",
               {false, true});
  add_now(registry, "CURRENT_TIMESTAMP", make_temporal(TypeKind::kTimestampLtz, 3, false));
  add_now(registry, "NOW", make_temporal(TypeKind::kTimestampLtz, 3, false));
  add_now(registry, "CURRENT_ROW_TIMESTAMP", make_temporal(TypeKind::kTimestampLtz, 3, false));
  add_now(registry, "LOCALTIMESTAMP", make_temporal(TypeKind::kTimestamp, 3, false));
  add_now(registry, "CURRENT_DATE", make_type(TypeKind::kDate, false));
  add_now(registry, "CURRENT_TIME", make_temporal(TypeKind::kTime, 0, false));
  add_now(registry, "LOCALTIME", make_temporal(TypeKind::kTime, 0, false));
  register_time_text(registry);
}

}  // namespace millrace
