// What the window operators keep, described for snapshots: one function beside bind(), because the kind of window
// decides which operator runs and so what a row of its state is. Planning only.
#pragma once

#include <vector>

#include "runtime/operators/window/config.h"

namespace millrace {

std::vector<StateSchema> window_states(const WindowConfig& config);

}  // namespace millrace
