#include "state/protocol/coordinator.h"

#include <algorithm>
#include <utility>

#include "plan/job_graph.h"

namespace millrace {

CheckpointPolicy checkpoint_policy(const CheckpointSettings& settings) {
  CheckpointPolicy policy;
  policy.interval_ms = settings.interval_ms;
  policy.min_pause_ms = settings.min_pause_ms;
  policy.timeout_ms = settings.timeout_ms;
  policy.tolerable_failures = settings.tolerable_failures;
  policy.retain = settings.retain;
  policy.unaligned_after_ms = settings.unaligned_after_ms;
  return policy;
}

CheckpointCoordinator::CheckpointCoordinator(CheckpointPolicy policy, std::vector<TaskId> tasks,
                                             std::vector<int64_t> retained, int64_t now_ms)
    : policy_(policy),
      tasks_(tasks.begin(), tasks.end()),
      retained_(std::move(retained)),
      last_trigger_ms_(now_ms),
      last_end_ms_(now_ms - policy.min_pause_ms),
      retry_not_before_ms_(now_ms) {}

void CheckpointCoordinator::task_running(TaskId task) {
  if (tasks_.contains(task)) running_.insert(task);
}

void CheckpointCoordinator::task_finished(TaskId task) {
  if (!tasks_.contains(task)) return;
  running_.insert(task);
  finished_.insert(task);
}

void CheckpointCoordinator::request_checkpoint() { requested_ = true; }
void CheckpointCoordinator::request_stop() { stop_requested_ = true; }
void CheckpointCoordinator::expect_restored_settled() { restored_unsettled_ = true; }
void CheckpointCoordinator::restored_settled() { restored_unsettled_ = false; }
void CheckpointCoordinator::expect_epochs_settled() { settles_epochs_ = true; }

void CheckpointCoordinator::epoch_settled(int64_t checkpoint_id) {
  std::erase_if(unsettled_, [checkpoint_id](int64_t id) { return id <= checkpoint_id; });
}

TriggerDecision CheckpointCoordinator::decide_trigger(int64_t now_ms) const {
  using Reason = TriggerDecision::Reason;
  const auto wait = [](Reason reason, int64_t at_ms = -1) {
    return TriggerDecision{TriggerDecision::Kind::kWait, reason, false, at_ms};
  };
  if (ended_) return wait(Reason::kEnded);
  if (running_.size() != tasks_.size()) return wait(Reason::kTasksStarting);
  if (restored_unsettled_) return wait(Reason::kRestoredUnsettled);
  if (in_flight_) {
    return wait(Reason::kInFlight, std::min(in_flight_->since_ms + policy_.timeout_ms, overtakes_at_ms()));
  }
  const bool final = final_due();
  if (final || requested_) {
    if (now_ms < retry_not_before_ms_) return wait(Reason::kPause, retry_not_before_ms_);
    return {TriggerDecision::Kind::kTrigger, Reason::kNone, final, -1};
  }
  if (policy_.interval_ms <= 0) return wait(Reason::kInterval);
  if (std::cmp_greater_equal(unsettled_.size(), policy_.unsettled_max)) return wait(Reason::kSinksBehind);
  const int64_t by_interval = last_trigger_ms_ + policy_.interval_ms;
  const int64_t by_pause = last_end_ms_ + policy_.min_pause_ms;
  if (now_ms < std::max(by_interval, by_pause)) {
    return by_interval >= by_pause ? wait(Reason::kInterval, by_interval) : wait(Reason::kPause, by_pause);
  }
  return {TriggerDecision::Kind::kTrigger, Reason::kNone, false, -1};
}

/// INT64_MAX: the checkpoint in flight has no more to be told.
int64_t CheckpointCoordinator::overtakes_at_ms() const {
  if (policy_.unaligned_after_ms < 0 || !in_flight_ || in_flight_->aligned || in_flight_->overtaking) return INT64_MAX;
  return in_flight_->since_ms + policy_.unaligned_after_ms;
}

std::optional<int64_t> CheckpointCoordinator::overtake(int64_t now_ms) {
  if (now_ms < overtakes_at_ms()) return std::nullopt;
  in_flight_->overtaking = true;
  return in_flight_->id;
}

void CheckpointCoordinator::started(int64_t checkpoint_id, bool final, int64_t now_ms, bool aligned) {
  in_flight_ = InFlight{checkpoint_id, final, now_ms, aligned || final, false, tasks_};
  handles_.clear();
  last_trigger_ms_ = now_ms;
  requested_ = false;
}

SnapshotVerdict CheckpointCoordinator::snapshot_taken(int64_t checkpoint_id, const SnapshotHandle& handle) {
  if (!in_flight_ || in_flight_->id != checkpoint_id) return SnapshotVerdict::kStale;
  if (in_flight_->waiting.erase(handle.task) == 0) return SnapshotVerdict::kStale;
  handles_.push_back(handle);
  if (!in_flight_->waiting.empty()) return SnapshotVerdict::kWaiting;
  std::sort(handles_.begin(), handles_.end(),
            [](const SnapshotHandle& a, const SnapshotHandle& b) { return a.task < b.task; });
  return SnapshotVerdict::kComplete;
}

std::vector<int64_t> CheckpointCoordinator::completed(int64_t checkpoint_id, int64_t now_ms) {
  if (!in_flight_ || in_flight_->id != checkpoint_id) return {};
  ended_ = in_flight_->final;
  in_flight_.reset();
  failures_in_row_ = 0;
  last_end_ms_ = now_ms;
  if (settles_epochs_) unsettled_.push_back(checkpoint_id);
  retained_.push_back(checkpoint_id);
  std::vector<int64_t> gone = subsumed_checkpoints(retained_, policy_.retain);
  retained_.erase(retained_.begin(), retained_.begin() + static_cast<std::ptrdiff_t>(gone.size()));
  return gone;
}

AbortDecision CheckpointCoordinator::abort(AbortCause cause, int64_t now_ms) {
  AbortDecision decision;
  decision.cause = cause;
  if (in_flight_) {
    decision.checkpoint_id = in_flight_->id;
    decision.missing.assign(in_flight_->waiting.begin(), in_flight_->waiting.end());
  }
  in_flight_.reset();
  handles_.clear();
  last_end_ms_ = now_ms;
  retry_not_before_ms_ = now_ms + policy_.retry_pause_ms;
  ++failures_in_row_;
  decision.fail_job = failures_in_row_ > policy_.tolerable_failures;
  return decision;
}

std::optional<AbortDecision> CheckpointCoordinator::snapshot_failed(int64_t checkpoint_id, TaskId task,
                                                                    int64_t now_ms) {
  if (!in_flight_ || in_flight_->id != checkpoint_id || !in_flight_->waiting.contains(task)) return std::nullopt;
  return abort(AbortCause::kTaskSnapshotFailed, now_ms);
}

std::optional<AbortDecision> CheckpointCoordinator::storage_failed(int64_t checkpoint_id, int64_t now_ms) {
  if (checkpoint_id != 0 && (!in_flight_ || in_flight_->id != checkpoint_id)) return std::nullopt;
  if (checkpoint_id == 0) last_trigger_ms_ = now_ms;
  return abort(AbortCause::kStorageFailed, now_ms);
}

std::optional<AbortDecision> CheckpointCoordinator::check_timeout(int64_t now_ms) {
  if (!in_flight_ || now_ms < in_flight_->since_ms + policy_.timeout_ms) return std::nullopt;
  return abort(AbortCause::kTimeout, now_ms);
}

std::optional<int64_t> CheckpointCoordinator::cancel() {
  if (!in_flight_) return std::nullopt;
  const int64_t id = in_flight_->id;
  in_flight_.reset();
  handles_.clear();
  return id;
}

std::optional<int64_t> CheckpointCoordinator::in_flight() const {
  return in_flight_ ? std::optional(in_flight_->id) : std::nullopt;
}

std::vector<int64_t> subsumed_checkpoints(const std::vector<int64_t>& completed, int64_t retain) {
  const auto keep = static_cast<size_t>(std::max<int64_t>(retain, 1));
  if (completed.size() <= keep) return {};
  return {completed.begin(), completed.end() - static_cast<std::ptrdiff_t>(keep)};
}

}  // namespace millrace
