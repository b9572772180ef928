// What a start of a job from a checkpoint does with every state that the checkpoint holds: one pure function, asked by
// `plan --against`, by the job manager before it stops a job for an upgrade, and by every task manager before it
// restores. So the answer is the same everywhere. Facts in, decision out; no I/O.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/status.h"
#include "plan/job_graph.h"
#include "plan/state_match.h"
#include "state/snapshot_file.h"

namespace millrace {

enum class StateFate : uint8_t {
  kRestored,    // as it is
  kMigrated,    // row by row: parts were added, dropped, renamed or widened
  kNew,         // the job wants it, the checkpoint has none
  kDropped,     // the checkpoint has it, nobody wants it: only with --allow-dropped-state
  kImpossible,  // it cannot be read by what has its place now
};
std::string_view state_fate_name(StateFate fate);

struct PlannedState {
  StateFate fate = StateFate::kNew;
  std::string step;  // in the job; dropped: in the checkpoint
  std::string name;
  StateDescriptor held;    // what the checkpoint has; an empty step: nothing
  StateDescriptor wanted;  // what the job reads; an empty step: nothing
  uint64_t rows = 0;
  uint64_t bytes = 0;
  std::string reason;  // of kDropped and kImpossible
  std::string help;
  std::vector<PartChange> changes;
  FormerNames names;
  bool loses_rows = false;  // of kDropped
  uint32_t readers = 1;     // subtasks that restore it side by side
  /// The rows are not what the job reads, even when no part changed its meaning (another order of aggregates).
  [[nodiscard]] bool convert() const {
    return !held.step.empty() && !wanted.step.empty() && held.layout != wanted.layout;
  }
  /// How far a step has come, and nothing a user put there.
  [[nodiscard]] bool bookkeeping() const;
};

struct StatePlan {
  std::vector<PlannedState> states;  // in the order of the job's steps, then what nobody wants
  std::string refused;               // why no state can be restored at all (max_parallelism); empty: see each state
  std::string help;
  std::string in_flight;  // why rows on their way between subtasks do not fit: only --restore is refused for them
};

struct CheckpointFacts {
  uint32_t max_parallelism = 0;
  std::vector<SnapshotStateInfo> states;
  bool more_in_files = false;  // files of a spill store hold rows that are not counted in `states`
};

StatePlan plan_state(const CheckpointFacts& checkpoint, const JobGraph& graph);

/// Whether a start may go on. kIncompatibleState: something is impossible; kRefusedByState: state would be lost.
Status check_state_plan(const StatePlan& plan, bool allow_dropped_state);

/// How long reading and inserting the rows takes, at what one subtask does in a second.
int64_t restore_estimate_ms(const StatePlan& plan);

}  // namespace millrace
