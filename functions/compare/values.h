// Order and equality of single values of any type, for the kernels that are not hot (nested types, GREATEST,
// ARRAY_SORT).
#pragma once

#include "data/column.h"
#include "data/types.h"

namespace millrace {

/// -1, 0, 1; NULL sorts first; NaN is greater than every number and equal to itself. Both columns have the type.
int compare_values(const DataType& type, const Column& a, uint32_t row_a, const Column& b, uint32_t row_b);

}  // namespace millrace
