// Internal to functions/strings: its parts.
#pragma once

#include "plan/expr/function_registry.h"

namespace millrace {

void register_string_edit(FunctionRegistry& registry);    // concatenation, padding, replacing
void register_string_search(FunctionRegistry& registry);  // positions, LIKE
void register_string_codes(FunctionRegistry& registry);   // ASCII, BASE64, URL

}  // namespace millrace
