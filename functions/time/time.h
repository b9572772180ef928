// Internal to functions/time: its parts.
#pragma once

#include "data/types.h"
#include "plan/expr/function_registry.h"

namespace millrace {

void register_time_text(FunctionRegistry& registry);

/// A date, time or timestamp as milliseconds.
inline int64_t temporal_millis(const DataType& type, int64_t value) {
  return type.kind == TypeKind::kDate ? value * 86'400'000 : value;
}

}  // namespace millrace
