// Reads and checks `join:`; planning only.
#pragma once

#include <optional>
#include <vector>

#include "plan/registry.h"

namespace millrace {

/// The fields inside `join:`.
std::vector<OptionDescriptor> join_fields();
std::optional<BoundOperator> bind_join(const BindContext& context);

}  // namespace millrace
