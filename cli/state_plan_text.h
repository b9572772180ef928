// The plan of a start against a checkpoint (state/protocol/state_plan.h) for people and for programs.
#pragma once

#include <string>

#include "state/checkpoint_store.h"
#include "state/protocol/state_plan.h"

namespace millrace {

std::string state_plan_text(const StatePlan& plan, const CheckpointMetadata& checkpoint);
/// {"checkpoint", "job", "refused", "needs_allow_dropped_state", "estimate_ms", "states": [..]}
std::string state_plan_json(const StatePlan& plan, const CheckpointMetadata& checkpoint);

}  // namespace millrace
