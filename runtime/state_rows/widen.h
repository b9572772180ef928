// Values of a type as values of a wider one, for the pairs that plan/state_match.h: can_widen() allows. Pure.
#pragma once

#include "data/column.h"

namespace millrace {

/// Appends row 0 of `from`. REQUIRES: can_widen(from_type, to_type).
void append_widened(const Column& from, const DataType& from_type, Column& to, const DataType& to_type);

}  // namespace millrace
