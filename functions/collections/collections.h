// Internal to functions/collections: its parts.
#pragma once

#include "plan/expr/function_registry.h"
#include "runtime/spi/function.h"

namespace millrace {

void register_arrays(FunctionRegistry& registry);
void register_maps(FunctionRegistry& registry);

/// Whether an argument is NULL in a row: kernels with nested results see such rows too.
bool any_argument_null(const KernelArgs& call, uint32_t row);

}  // namespace millrace
