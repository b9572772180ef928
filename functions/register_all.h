// Every family of scalar functions and aggregates. Called once at start; the registry is read only afterwards.
#pragma once

#include "plan/expr/function_registry.h"

namespace millrace {

void register_all_functions(FunctionRegistry& registry);

void register_arithmetic(FunctionRegistry& registry);
void register_collections(FunctionRegistry& registry);
void register_compare(FunctionRegistry& registry);
void register_conditional(FunctionRegistry& registry);
void register_hash(FunctionRegistry& registry);
void register_json(FunctionRegistry& registry);
void register_math(FunctionRegistry& registry);
void register_regex(FunctionRegistry& registry);
void register_strings(FunctionRegistry& registry);
void register_time(FunctionRegistry& registry);

}  // namespace millrace
