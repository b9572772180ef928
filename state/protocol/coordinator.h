// Decides about the checkpoints of one attempt of a job: when to trigger, what an acknowledgement means, when to
// complete, abort, give up, and which old checkpoints go. A value: facts in, decisions out, no I/O, no clock, no
// threads; the caller (the job's event loop) carries decisions out and reports back. One checkpoint is in flight at a
// time.
//
//   decide_trigger(now) = kTrigger -> reserve an id durably -> started(id) -> send TriggerCheckpoint to all tasks
//   snapshot_taken(..)  = kComplete -> publish _metadata -> completed(id) -> notify tasks, remove what it returns
//   abort decisions     -> tell the tasks, remove the directory; fail_job: fail the job with kCheckpointFailed
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "state/protocol/task_snapshot.h"

namespace millrace {

struct CheckpointSettings;

struct CheckpointPolicy {
  int64_t interval_ms = 10'000;  // from trigger to trigger; <= 0: only on request and at the end
  int64_t min_pause_ms = 0;      // from the end of one to the trigger of the next
  int64_t timeout_ms = 600'000;
  int64_t tolerable_failures = 3;  // in a row; one more fails the job
  int64_t retain = 3;
  int64_t retry_pause_ms = 1'000;  // before a failed final checkpoint is tried again
  /// Back-pressure: no trigger while the epoch of the k-th last completed checkpoint is not settled by its sinks.
  int64_t unsettled_max = 4;
  int64_t unaligned_after_ms = -1;  // from the trigger on; -1: never
};
CheckpointPolicy checkpoint_policy(const CheckpointSettings& settings);

struct TriggerDecision {
  enum class Kind : uint8_t { kTrigger, kWait };
  enum class Reason : uint8_t {
    kNone,
    kTasksStarting,      // not every task runs yet
    kRestoredUnsettled,  // entries of the restored state are not yet published by their sinks
    kInFlight,
    kInterval,
    kPause,
    kSinksBehind,
    kEnded,  // the final checkpoint is complete
  };
  Kind kind = Kind::kWait;
  Reason reason = Reason::kNone;
  bool final = false;  // kTrigger: the job stops behind this barrier
  int64_t at_ms = -1;  // kWait: ask again then at the latest; -1: only after another fact
};

enum class SnapshotVerdict : uint8_t {
  kStale,     // of another checkpoint, or twice: drop and count
  kWaiting,   // others are missing
  kComplete,  // all there: handles() holds what goes into the metadata
};

enum class AbortCause : uint8_t { kTimeout, kTaskSnapshotFailed, kStorageFailed };

struct AbortDecision {
  int64_t checkpoint_id = 0;
  AbortCause cause = AbortCause::kTimeout;
  bool fail_job = false;        // more failures in a row than tolerable
  std::vector<TaskId> missing;  // tasks that had not acknowledged
};

class CheckpointCoordinator {
 public:
  /// `retained` = completed checkpoints on disk, oldest first. Tasks count as starting until task_running.
  CheckpointCoordinator(CheckpointPolicy policy, std::vector<TaskId> tasks, std::vector<int64_t> retained,
                        int64_t now_ms);

  // Facts about tasks and wishes.
  void task_running(TaskId task);
  /// At its end of input; it still takes part. When the last one finishes a final checkpoint is due.
  void task_finished(TaskId task);
  void request_checkpoint();
  /// A final checkpoint is due at once (signal, stop).
  void request_stop();
  /// The restored state holds output that sinks have yet to publish; until restored_settled() nothing is triggered.
  void expect_restored_settled();
  void restored_settled();
  /// All lanes of all sinks have published the epochs up to this one. Never called: sinks that settle nothing.
  void epoch_settled(int64_t checkpoint_id);
  void expect_epochs_settled();
  /// Nothing that completed waits for its sinks.
  [[nodiscard]] bool all_settled() const { return unsettled_.empty(); }

  [[nodiscard]] TriggerDecision decide_trigger(int64_t now_ms) const;
  /// The trigger was carried out under this id. `aligned`: its barriers must not overtake rows.
  void started(int64_t checkpoint_id, bool final, int64_t now_ms, bool aligned = false);
  /// The checkpoint whose barriers are to overtake rows from now on; told once.
  [[nodiscard]] std::optional<int64_t> overtake(int64_t now_ms);
  /// Those of the checkpoint in flight do.
  [[nodiscard]] bool overtaking() const { return in_flight_ && in_flight_->overtaking; }
  /// Other settings, from the next decision on.
  void change_policy(const CheckpointPolicy& policy) { policy_ = policy; }

  [[nodiscard]] SnapshotVerdict snapshot_taken(int64_t checkpoint_id, const SnapshotHandle& handle);
  [[nodiscard]] const std::vector<SnapshotHandle>& handles() const { return handles_; }
  /// Metadata is durable: returns the ids that are subsumed now.
  [[nodiscard]] std::vector<int64_t> completed(int64_t checkpoint_id, int64_t now_ms);

  // Each returns nothing when the fact is stale.
  [[nodiscard]] std::optional<AbortDecision> snapshot_failed(int64_t checkpoint_id, TaskId task, int64_t now_ms);
  /// Reserving the id or publishing the metadata failed (checkpoint_id 0: no id yet).
  [[nodiscard]] std::optional<AbortDecision> storage_failed(int64_t checkpoint_id, int64_t now_ms);
  [[nodiscard]] std::optional<AbortDecision> check_timeout(int64_t now_ms);
  /// The attempt ends; the checkpoint in flight is dropped without counting as a failure.
  [[nodiscard]] std::optional<int64_t> cancel();

  [[nodiscard]] std::optional<int64_t> in_flight() const;
  [[nodiscard]] bool all_finished() const { return finished_.size() == tasks_.size(); }
  /// The final checkpoint is complete: the job may end.
  [[nodiscard]] bool ended() const { return ended_; }
  [[nodiscard]] int64_t failures_in_row() const { return failures_in_row_; }

 private:
  struct InFlight {
    int64_t id = 0;
    bool final = false;
    int64_t since_ms = 0;
    bool aligned = false;
    bool overtaking = false;
    std::set<TaskId> waiting;
  };
  [[nodiscard]] int64_t overtakes_at_ms() const;
  [[nodiscard]] AbortDecision abort(AbortCause cause, int64_t now_ms);
  [[nodiscard]] bool final_due() const { return stop_requested_ || (!tasks_.empty() && all_finished()); }

  CheckpointPolicy policy_;
  std::set<TaskId> tasks_;
  std::set<TaskId> running_;
  std::set<TaskId> finished_;
  std::vector<int64_t> retained_;
  std::optional<InFlight> in_flight_;
  std::vector<SnapshotHandle> handles_;
  int64_t last_trigger_ms_;
  int64_t last_end_ms_;
  int64_t retry_not_before_ms_;
  int64_t failures_in_row_ = 0;
  std::vector<int64_t> unsettled_;
  bool settles_epochs_ = false;
  bool restored_unsettled_ = false;
  bool requested_ = false;
  bool stop_requested_ = false;
  bool ended_ = false;
};

/// Ids beyond the `retain` newest; `completed` ascending.
std::vector<int64_t> subsumed_checkpoints(const std::vector<int64_t>& completed, int64_t retain);

}  // namespace millrace
