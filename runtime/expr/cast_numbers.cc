// Between numbers and BOOLEAN.
#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "data/decimal.h"
#include "data/number_text.h"
#include "runtime/expr/cast.h"
#include "runtime/spi/kernel.h"

namespace millrace {

namespace {

void cast_overflow(const CastRows& cast, uint32_t row) {
  std::string value;
  append_cast_text(value, cast.from_type, cast.from, row);
  cast.fail(row, fmt::format("{} is out of the range of {}", value, cast.to_type.to_string()));
}

struct IntegerBounds {
  int64_t min;
  int64_t max;
};

IntegerBounds integer_bounds(TypeKind kind) {
  switch (kind) {
    case TypeKind::kTinyInt:
      return {INT8_MIN, INT8_MAX};
    case TypeKind::kSmallInt:
      return {INT16_MIN, INT16_MAX};
    case TypeKind::kInt:
      return {INT32_MIN, INT32_MAX};
    default:
      return {INT64_MIN, INT64_MAX};
  }
}

/// Calls convert(row, value) with the source value as it lies in memory.
template <class F>
void for_source(const CastRows& cast, F&& convert) {
  auto run = [&]<class T>(const T* values) { for_rows(cast.rows, [&](uint32_t row) { convert(row, values[row]); }); };
  switch (cast.from.type()) {
    case PhysicalType::kBool:
      run(cast.from.values<uint8_t>());
      break;
    case PhysicalType::kInt32:
      run(cast.from.values<int32_t>());
      break;
    case PhysicalType::kInt64:
      run(cast.from.values<int64_t>());
      break;
    case PhysicalType::kFloat:
      run(cast.from.values<float>());
      break;
    case PhysicalType::kDouble:
      run(cast.from.values<double>());
      break;
    default:
      run(cast.from.values<int128>());
      break;
  }
}

void cast_to_integer(const CastRows& cast) {
  const IntegerBounds bounds = integer_bounds(cast.to_type.kind);
  const int scale = cast.from_type.kind == TypeKind::kDecimal ? cast.from_type.scale : 0;
  const int128 divisor = decimal_power10(scale);
  for_source(cast, [&]<class T>(uint32_t row, T value) {
    if constexpr (std::is_floating_point_v<T>) {
      double whole = std::trunc(static_cast<double>(value));
      // -2^63 and 2^63 are exact doubles.
      bool fits = whole >= static_cast<double>(bounds.min) && whole < -static_cast<double>(INT64_MIN) &&
                  (bounds.max == INT64_MAX || whole <= static_cast<double>(bounds.max));
      if (!fits) return cast_overflow(cast, row);
      put_integer(cast.out, row, static_cast<int64_t>(whole));
    } else {
      int128 whole = sizeof(T) == sizeof(int128) ? static_cast<int128>(value) / divisor : static_cast<int128>(value);
      if (whole < bounds.min || whole > bounds.max) return cast_overflow(cast, row);
      put_integer(cast.out, row, static_cast<int64_t>(whole));
    }
  });
}

template <class Float>
void cast_to_floating(const CastRows& cast) {
  Float* out = cast.out.values<Float>();
  const int scale = cast.from_type.scale;
  for_source(cast, [&]<class T>(uint32_t row, T value) {
    if constexpr (sizeof(T) == sizeof(int128)) {
      out[row] = static_cast<Float>(decimal_to_double(value, scale));
    } else {
      out[row] = static_cast<Float>(value);
    }
  });
}

void cast_to_decimal(const CastRows& cast) {
  int128* out = cast.out.values<int128>();
  const int precision = cast.to_type.precision;
  const int scale = cast.to_type.scale;
  const int from_scale = cast.from_type.kind == TypeKind::kDecimal ? cast.from_type.scale : 0;
  for_source(cast, [&]<class T>(uint32_t row, T value) {
    bool fits = false;
    if constexpr (std::is_same_v<T, double>) {
      fits = decimal_from_double(value, precision, scale, out[row]);
    } else if constexpr (std::is_same_v<T, float>) {
      std::string digits;
      append_java_float(digits, value);
      fits = decimal_parse(digits, precision, scale, out[row]) == DecimalParse::kOk;
    } else {
      fits = decimal_rescale(static_cast<int128>(value), from_scale, scale, precision, out[row]);
    }
    if (!fits) cast_overflow(cast, row);
  });
}

void cast_to_boolean(const CastRows& cast) {
  uint8_t* out = cast.out.values<uint8_t>();
  for_source(cast, [&]<class T>(uint32_t row, T value) { out[row] = value != T{0} ? 1 : 0; });
}

}  // namespace

void cast_numbers(const CastRows& cast) {
  switch (cast.to_type.kind) {
    case TypeKind::kBoolean:
      return cast_to_boolean(cast);
    case TypeKind::kFloat:
      return cast_to_floating<float>(cast);
    case TypeKind::kDouble:
      return cast_to_floating<double>(cast);
    case TypeKind::kDecimal:
      return cast_to_decimal(cast);
    default:
      return cast_to_integer(cast);
  }
}

}  // namespace millrace
