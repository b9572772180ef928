// From a path to the plan of a start: finds the checkpoint that is meant, reads what states it holds, and asks
// state/protocol/state_plan.h. Reads only; for commands and for the job manager before it stops or starts anything.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "state/checkpoint_store.h"
#include "state/protocol/state_plan.h"

namespace millrace {

/// A chk-<id> directory or a savepoint itself; of a job's directory its newest completed checkpoint. kMissingState says
/// what the path is instead.
Result<CheckpointMetadata> find_checkpoint(FileSystem& fs, const std::string& path);

/// What the files of a checkpoint hold, opened.
struct OpenedCheckpoint {
  CheckpointMetadata metadata;
  std::shared_ptr<const RestoredSnapshots> snapshots;
};
Result<OpenedCheckpoint> open_checkpoint(FileSystem& fs, CheckpointMetadata metadata);

Result<StatePlan> plan_against(FileSystem& fs, const CheckpointMetadata& metadata, const JobGraph& graph);

/// Whether a start of the job would be refused because of the state that it would use. A state that cannot even be read
/// is not reported here: the start itself does.
Status check_start(FileSystem& fs, const OpenJob& job, const JobGraph& graph, bool allow_dropped_state);

}  // namespace millrace
