// Flink's and Calcite's rules of types: which type holds several others, what converts by itself, what CAST may
// convert, and precision and scale of DECIMAL results. Pure functions; any thread.
#pragma once

#include <span>

#include "data/types.h"

namespace millrace {

/// The type that all of `types` convert to without asking (CASE, COALESCE, arithmetic); null when there is none.
/// Nullable when any is.
TypePtr least_restrictive(std::span<const TypePtr> types);
TypePtr least_restrictive(const TypePtr& a, const TypePtr& b);

/// As least_restrictive, and texts compare with numbers, times and booleans in the other side's type.
TypePtr comparison_type(const TypePtr& a, const TypePtr& b);

/// Whether a value converts where no CAST is written.
bool converts_implicitly(const DataType& from, const DataType& to);

enum class CastSupport : uint8_t { kYes, kNo, kNotYet };
CastSupport cast_support(const DataType& from, const DataType& to);

struct DecimalShape {
  int precision = 0;
  int scale = 0;
};
/// Of integers and DECIMAL: TINYINT is (3, 0), SMALLINT (5, 0), INT (10, 0), BIGINT (19, 0).
DecimalShape decimal_shape(const DataType& type);
/// Limits to 38 digits: integer digits win, at least min(scale, 6) digits stay after the point.
DecimalShape limit_decimal(int precision, int scale);

DecimalShape decimal_add_shape(DecimalShape a, DecimalShape b);
DecimalShape decimal_multiply_shape(DecimalShape a, DecimalShape b);
DecimalShape decimal_divide_shape(DecimalShape a, DecimalShape b);
DecimalShape decimal_modulo_shape(DecimalShape a, DecimalShape b);
/// ROUND and TRUNCATE to `digits` after the point.
DecimalShape decimal_round_shape(DecimalShape type, int digits);

}  // namespace millrace
