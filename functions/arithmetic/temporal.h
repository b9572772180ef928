// Arithmetic of times and intervals, called by the kernels of + - * / when an operand is no number.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "plan/expr/function_registry.h"
#include "runtime/spi/function.h"

namespace millrace {

/// Types of time ± interval, interval ± interval, interval × or ÷ number; nothing when the operands do not fit.
std::optional<ResolvedCall> resolve_temporal(std::string_view symbol, const std::vector<TypePtr>& types);
void temporal_kernel(const KernelArgs& call, bool subtract);
void register_temporal_arithmetic(FunctionRegistry& registry);

}  // namespace millrace
