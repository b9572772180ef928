// The part of `settings.checkpoint` that may change while the job runs: fields as a job file would write them, read and
// checked by the same descriptors. Pure functions.
#pragma once

#include <map>
#include <string>

#include "core/status.h"
#include "plan/job_graph.h"

namespace millrace {

/// Field (`interval`, `timeout`, `min_pause`, `unaligned_after`, `tolerable_failures`) -> value as text, `5s`.
using CheckpointChanges = std::map<std::string, std::string>;

/// `settings` with the changes. kBadValue with all that is wrong with them.
Result<CheckpointSettings> changed_checkpoint_settings(const CheckpointSettings& settings,
                                                       const CheckpointChanges& changes);
/// The same fields as they are.
CheckpointChanges checkpoint_settings_text(const CheckpointSettings& settings);

}  // namespace millrace
