// Reads and checks `process:`; planning only.
#pragma once

#include <optional>

#include "plan/registry.h"

namespace millrace {

std::optional<BoundOperator> bind_process(const BindContext& context);

}  // namespace millrace
