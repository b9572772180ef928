// Internal to functions/json: its parts.
#pragma once

#include "plan/expr/function_registry.h"

namespace millrace {

void register_json_builders(FunctionRegistry& registry);

}  // namespace millrace
