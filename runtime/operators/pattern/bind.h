// Reads and checks `pattern:`; planning only.
#pragma once

#include <optional>
#include <vector>

#include "plan/registry.h"

namespace millrace {

/// The fields inside `pattern:`.
std::vector<OptionDescriptor> pattern_fields();
std::optional<BoundOperator> bind_pattern(const BindContext& context);

}  // namespace millrace
