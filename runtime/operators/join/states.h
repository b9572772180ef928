// What each kind of join keeps, described for snapshots beside bind(). Planning only.
#pragma once

#include <vector>

#include "runtime/operators/join/config.h"

namespace millrace {

std::vector<StateSchema> join_states(const JoinConfig& config);

}  // namespace millrace
