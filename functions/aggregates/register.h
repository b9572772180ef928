// Registers COUNT, SUM, AVG, MIN, MAX, FIRST_VALUE, LAST_VALUE, STDDEV_*, VAR_*, BOOL_AND, BOOL_OR, LISTAGG,
// ARRAY_AGG, TOP_K, the JSON aggregates and the sketches. Called once at start by the wiring; the registry is read only
// afterwards.
#pragma once

#include "plan/expr/function_registry.h"

namespace millrace {

void register_aggregates(FunctionRegistry& functions);

// One per file of this folder.
void register_count(FunctionRegistry& functions);
void register_sums(FunctionRegistry& functions);
void register_extremes(FunctionRegistry& functions);
void register_first_last(FunctionRegistry& functions);
void register_statistics(FunctionRegistry& functions);
void register_booleans(FunctionRegistry& functions);
void register_lists(FunctionRegistry& functions);
void register_sketches(FunctionRegistry& functions);
void register_top_k(FunctionRegistry& functions);
void register_json_aggregates(FunctionRegistry& functions);

}  // namespace millrace
