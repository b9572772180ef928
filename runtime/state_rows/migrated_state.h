// A checkpoint as the new job reads it: each of its states under the id that the job gives it, its rows converted where
// the layout has changed. Follows the plan that state/protocol/state_plan.h made, which was checked before. Any thread.
#pragma once

#include <memory>

#include "plan/expr/function_registry.h"
#include "state/protocol/state_plan.h"

namespace millrace {

/// `functions` outlives the result.
std::shared_ptr<const RestoredState> migrated_state(std::shared_ptr<const RestoredState> restored, StatePlan plan,
                                                    const FunctionRegistry& functions);

}  // namespace millrace
