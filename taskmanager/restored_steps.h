// Matches the states of a checkpoint with the steps of the job that restores it: by step id, by `was:` for a renamed
// step. State of a step that is not in the job any more is refused, unless dropping it was allowed.
#pragma once

#include <memory>
#include <vector>

#include "core/status.h"
#include "plan/job_graph.h"
#include "state/snapshot_file.h"

namespace millrace {

/// kRefusedByState naming the steps whose state would be lost.
Status check_restored_steps(const std::vector<SnapshotStateInfo>& states, const JobGraph& graph,
                            bool allow_dropped_state);

/// The same rows, found under the steps' former ids where `was:` says so.
std::shared_ptr<const RestoredState> with_former_ids(std::shared_ptr<const RestoredState> restored,
                                                     const std::vector<SnapshotStateInfo>& states,
                                                     const JobGraph& graph);

}  // namespace millrace
