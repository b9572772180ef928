// The output of a job whose directory is at hand and which does not run: its exactly-once sinks, what its retained
// checkpoints know of their lanes, and the markers that the targets hold. Used by `audit`, `sink` and `run --fresh`.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "plan/planner.h"
#include "runtime/exactly_once/lane_state.h"
#include "runtime/spi/factories.h"
#include "state/checkpoint_store.h"
#include "state/directory_lock.h"

namespace millrace {

struct SinkLane {
  LaneState state;                     // in the newest checkpoint
  std::optional<CommitMarker> marker;  // in the target
  /// Rows of entries of the newest checkpoint that the marker does not cover.
  [[nodiscard]] uint64_t pending_rows() const;
  [[nodiscard]] bool covers(int64_t epoch, uint32_t part) const {
    return marker && EpochPart{epoch, part} <= EpochPart{marker->epoch, marker->part};
  }
};

struct SinkOutput {
  std::string sink;
  std::shared_ptr<const SinkConfig> config;
  std::map<uint32_t, SinkLane> lanes;
  /// Of all retained checkpoints, by lane and epoch.
  std::map<std::pair<uint32_t, int64_t>, std::shared_ptr<const LaneEntry>> entries;
};

class JobOutput {
 public:
  /// Locks the directory (not on object storage, which has no locks).
  /// kMissingState: it is none of a job; kDirectoryLocked: the job runs.
  static Result<std::unique_ptr<JobOutput>> open(const std::string& directory, bool take_over,
                                                 const Registry& registry);

  [[nodiscard]] const JobRecord& record() const { return record_; }
  [[nodiscard]] const std::string& directory() const { return directory_; }
  [[nodiscard]] int64_t checkpoint_id() const { return checkpoint_id_; }  // the newest; 0: none
  std::vector<SinkOutput>& sinks() { return sinks_; }
  SinkOutput* find(const std::string& sink);
  /// A target ready to be asked.
  Result<ExactlyOnceTargetPtr> open_target(const SinkOutput& sink) const;
  /// Fills the lanes' markers. Whoever wrote the lanes is fenced by that.
  Status read_markers(SinkOutput& sink, ExactlyOnceTarget& target) const;
  [[nodiscard]] LaneId lane_id(const SinkOutput& sink, uint32_t lane) const;
  [[nodiscard]] std::string segment_path(const LaneEntry& entry) const;

 private:
  explicit JobOutput(const Registry& registry) : registry_(registry) {}
  Status read_checkpoints();
  Status read_lanes(const CheckpointMetadata& metadata);

  const Registry& registry_;
  std::string directory_;
  std::unique_ptr<DirectoryLock> lock_;
  JobRecord record_;
  PlannedJob planned_;
  int64_t checkpoint_id_ = 0;
  std::vector<SinkOutput> sinks_;
};

/// For `run --fresh`: refused (kRefusedByState) when output of completed checkpoints was not published yet, or when
/// that cannot be found out. A job that ended by itself or was suspended has published everything.
Status check_no_pending_output(const std::string& directory, bool take_over, const Registry& registry);

}  // namespace millrace
