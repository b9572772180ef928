// Internal to functions/math: its parts.
#pragma once

#include "plan/expr/function_registry.h"

namespace millrace {

void register_rounding(FunctionRegistry& registry);

}  // namespace millrace
