// ROUND, TRUNCATE, FLOOR, CEIL, ABS and SIGN: the functions whose type depends on the argument.
#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "data/decimal.h"
#include "functions/math/math.h"
#include "functions/signature.h"
#include "runtime/spi/kernel.h"

namespace millrace {

namespace {

/// Rounds through the shortest decimal digits, so that 1.005 to two digits is 1.01 (Java's BigDecimal.valueOf).
double round_double(double value, int64_t digits, bool truncate) {
  if (!std::isfinite(value) || value == 0 || digits > 400) return value;
  if (digits < -400) return 0;
  char buffer[512];
  auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::fixed);
  if (error != std::errc{}) return value;
  std::string text(buffer, end);
  size_t first = text[0] == '-' ? 1 : 0;
  size_t point = std::min(text.find('.'), text.size());
  int64_t whole = static_cast<int64_t>(point - first);
  if (-digits > whole) return 0;
  // Index of the first digit to drop.
  size_t cut = first + static_cast<size_t>(whole + digits) + (digits > 0 ? 1 : 0);
  if (cut >= text.size()) return value;
  char next = text[cut] == '.' ? (cut + 1 < text.size() ? text[cut + 1] : '0') : text[cut];
  for (size_t i = cut; i < text.size(); ++i) {
    if (text[i] != '.') text[i] = '0';
  }
  if (!truncate && next >= '5') {
    size_t i = cut;
    bool carry = true;
    while (carry && i > first) {
      --i;
      if (text[i] == '.') continue;
      carry = text[i] == '9';
      text[i] = carry ? '0' : static_cast<char>(text[i] + 1);
    }
    if (carry) text.insert(first, 1, '1');
  }
  double result = 0;
  std::from_chars(text.data(), text.data() + text.size(), result);
  return result;
}

/// Rounds an integer to 10^-digits; false on overflow.
bool round_integer(int128 value, int64_t digits, bool truncate, int128& out) {
  out = value;
  if (digits >= 0) return true;
  if (digits < -38) {
    out = 0;
    return true;
  }
  int shift = static_cast<int>(-digits);
  int128 unit = decimal_power10(shift);
  int128 scaled = value / unit;
  int128 rest = value - scaled * unit;
  if (!truncate && (rest >= (unit + 1) / 2 || -rest >= (unit + 1) / 2)) scaled += rest < 0 ? -1 : 1;
  return !__builtin_mul_overflow(scaled, unit, &out);
}

bool fits_integer(TypeKind kind, int128 value) {
  switch (kind) {
    case TypeKind::kTinyInt:
      return value >= INT8_MIN && value <= INT8_MAX;
    case TypeKind::kSmallInt:
      return value >= INT16_MIN && value <= INT16_MAX;
    case TypeKind::kInt:
      return value >= INT32_MIN && value <= INT32_MAX;
    default:
      return value >= INT64_MIN && value <= INT64_MAX;
  }
}

void fail_overflow(const KernelArgs& call, uint32_t row) {
  call.fail(row, fmt::format("{} overflow", call.result_type->to_string()));
}

void round_rows(const KernelArgs& call, bool truncate) {
  const DataType& type = *call.types[0];
  const bool has_digits = call.args.size() > 1;
  for (uint32_t row : call.rows) {
    int64_t digits = has_digits ? IntegerReader(call, 1)[row] : 0;
    switch (type.kind) {
      case TypeKind::kDouble:
        call.out.values<double>()[row] = round_double(ArgReader<double>(call, 0)[row], digits, truncate);
        break;
      case TypeKind::kFloat: {
        float value = ArgReader<float>(call, 0)[row];
        // Java rounds the float's own digits.
        char buffer[64];
        auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, value);
        double exact = value;
        std::from_chars(buffer, end, exact);
        call.out.values<float>()[row] = static_cast<float>(round_double(exact, digits, truncate));
        break;
      }
      case TypeKind::kDecimal: {
        int128 value = ArgReader<int128>(call, 0)[row];
        int128& out = call.out.values<int128>()[row];
        int scale = call.result_type->scale;
        int precision = call.result_type->precision;
        bool fits = false;
        if (digits >= 0) {
          int kept = static_cast<int>(std::min<int64_t>(digits, type.scale));
          int128 rounded = 0;
          fits = truncate ? decimal_truncate(value, type.scale, kept, 38, rounded)
                          : decimal_rescale(value, type.scale, kept, 38, rounded);
          fits = fits && decimal_rescale(rounded, kept, scale, precision, out);
        } else {
          // One rounding only: the digits after the point and the whole ones together.
          int128 rounded = 0;
          fits = round_integer(value, digits - type.scale, truncate, rounded) &&
                 decimal_rescale(rounded, type.scale, scale, precision, out);
        }
        if (!fits) fail_overflow(call, row);
        break;
      }
      default: {
        int128 out = 0;
        if (round_integer(IntegerReader(call, 0)[row], digits, truncate, out) && fits_integer(type.kind, out)) {
          put_integer(call.out, row, static_cast<int64_t>(out));
        } else {
          fail_overflow(call, row);
        }
      }
    }
  }
}

void round_kernel(const KernelArgs& call) { round_rows(call, false); }
void truncate_kernel(const KernelArgs& call) { round_rows(call, true); }

ResolveFunction resolve_round(std::string name) {
  return [name](ArgTypes types, ArgLiterals literals) -> Result<ResolvedCall> {
    if (types.empty() || types.size() > 2) return argument_count_error(name, types.size(), name + "(number[, digits])");
    TypePtr type = types[0]->kind == TypeKind::kNull ? make_type(TypeKind::kInt) : types[0];
    bool digits_fit = types.size() == 1 || types[1]->is_integer() || types[1]->kind == TypeKind::kNull;
    if (!type->is_numeric() || !digits_fit) return argument_error(name, types, name + "(number[, digits])");
    std::vector<TypePtr> targets = {type};
    if (types.size() > 1) targets.push_back(types[1]->kind == TypeKind::kNull ? make_type(TypeKind::kInt) : types[1]);
    const int64_t* digits = literal_integer(literals, 1);
    if (type->kind == TypeKind::kDecimal && (types.size() == 1 || digits != nullptr)) {
      int kept = digits == nullptr ? 0 : static_cast<int>(std::clamp<int64_t>(*digits, -100, 100));
      DecimalShape shape = decimal_round_shape(decimal_shape(*type), kept);
      return ResolvedCall{make_decimal(shape.precision, shape.scale, type->nullable), targets, nullptr};
    }
    return ResolvedCall{type, targets, nullptr};
  };
}

void floor_ceil_rows(const KernelArgs& call, bool ceil) {
  const DataType& type = *call.types[0];
  for (uint32_t row : call.rows) {
    switch (call.args[0]->type()) {
      case PhysicalType::kDouble: {
        double value = ArgReader<double>(call, 0)[row];
        call.out.values<double>()[row] = ceil ? std::ceil(value) : std::floor(value);
        break;
      }
      case PhysicalType::kFloat: {
        float value = ArgReader<float>(call, 0)[row];
        call.out.values<float>()[row] = ceil ? std::ceil(value) : std::floor(value);
        break;
      }
      case PhysicalType::kInt128: {
        int128 value = ArgReader<int128>(call, 0)[row];
        int128 unit = decimal_power10(type.scale);
        int128 whole = value / unit;
        if (ceil && value > whole * unit) ++whole;
        if (!ceil && value < whole * unit) --whole;
        call.out.values<int128>()[row] = whole;
        if (!decimal_fits(whole, call.result_type->precision)) fail_overflow(call, row);
        break;
      }
      default:
        put_integer(call.out, row, IntegerReader(call, 0)[row]);
    }
  }
}

void floor_kernel(const KernelArgs& call) { floor_ceil_rows(call, false); }
void ceil_kernel(const KernelArgs& call) { floor_ceil_rows(call, true); }

ResolveFunction resolve_number(std::string name, bool drop_scale) {
  return [name, drop_scale](ArgTypes types, ArgLiterals) -> Result<ResolvedCall> {
    if (types.size() != 1) return argument_count_error(name, types.size(), name + "(number)");
    TypePtr type = types[0]->kind == TypeKind::kNull ? make_type(TypeKind::kInt) : types[0];
    if (!type->is_numeric()) return argument_error(name, types, name + "(number)");
    TypePtr result = type;
    if (drop_scale && type->kind == TypeKind::kDecimal) result = make_decimal(type->precision, 0, type->nullable);
    return ResolvedCall{result, {type}, nullptr};
  };
}

void abs_kernel(const KernelArgs& call) {
  for (uint32_t row : call.rows) {
    switch (call.out.type()) {
      case PhysicalType::kDouble:
        call.out.values<double>()[row] = std::fabs(ArgReader<double>(call, 0)[row]);
        break;
      case PhysicalType::kFloat:
        call.out.values<float>()[row] = std::fabs(ArgReader<float>(call, 0)[row]);
        break;
      case PhysicalType::kInt128: {
        int128 value = ArgReader<int128>(call, 0)[row];
        call.out.values<int128>()[row] = value < 0 ? -value : value;
        break;
      }
      default: {
        int64_t value = IntegerReader(call, 0)[row];
        if (value == INT64_MIN || !fits_integer(call.result_type->kind, value < 0 ? -value : value)) {
          fail_overflow(call, row);
        } else {
          put_integer(call.out, row, value < 0 ? -value : value);
        }
      }
    }
  }
}

void sign_kernel(const KernelArgs& call) {
  auto sign = [](auto value) { return value > 0 ? 1 : (value < 0 ? -1 : 0); };
  for (uint32_t row : call.rows) {
    switch (call.out.type()) {
      case PhysicalType::kDouble: {
        double value = ArgReader<double>(call, 0)[row];
        call.out.values<double>()[row] = std::isnan(value) ? value : sign(value);
        break;
      }
      case PhysicalType::kFloat: {
        float value = ArgReader<float>(call, 0)[row];
        call.out.values<float>()[row] = std::isnan(value) ? value : static_cast<float>(sign(value));
        break;
      }
      case PhysicalType::kInt128: {
        int128 unit = decimal_power10(call.result_type->scale);
        int128 value = sign(ArgReader<int128>(call, 0)[row]) * unit;
        call.out.values<int128>()[row] = value;
        if (!decimal_fits(value, call.result_type->precision)) fail_overflow(call, row);
        break;
      }
      default:
        put_integer(call.out, row, sign(IntegerReader(call, 0)[row]));
    }
  }
}

}  // namespace

void register_rounding(FunctionRegistry& registry) {
  add_function(registry, "ROUND", resolve_round("ROUND"), round_kernel, "rounds half away from zero");
  add_function(registry, "TRUNCATE", resolve_round("TRUNCATE"), truncate_kernel, "cuts digits");
  add_function(registry, "FLOOR", resolve_number("FLOOR", true), floor_kernel, "FLOOR(number) or FLOOR(time TO unit)");
  add_function(registry, "CEIL", resolve_number("CEIL", true), ceil_kernel, "CEIL(number) or CEIL(time TO unit)");
  add_function(registry, "ABS", resolve_number("ABS", false), abs_kernel, "the size without the sign");
  add_function(registry, "SIGN", resolve_number("SIGN", false), sign_kernel, "-1, 0 or 1");
}

}  // namespace millrace
