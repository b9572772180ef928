// The checkpoint half of JobMaster: triggers, completions, and what was asked for with one: savepoints, another job
// file.
#include <algorithm>

#include "core/crash_point.h"
#include "core/log.h"
#include "jobmanager/job_master.h"
#include "jobmanager/view_history.h"
#include "state/checkpoint_plan.h"
#include "state/in_flight_state.h"
#include "state/protocol/job_tasks.h"
#include "state/savepoint.h"

namespace millrace {

void JobMaster::trigger_if_due() {
  if (cancel_when_settled_) return;
  const TriggerDecision decision = coordinator_->decide_trigger(config_.clock->wall_ms());
  if (decision.kind == TriggerDecision::Kind::kTrigger) trigger(decision.final);
}

void JobMaster::trigger(bool final) {
  const int64_t now_ms = config_.clock->wall_ms();
  auto id = store_->reserve_checkpoint_id();
  if (!id) {
    if (id.error().code == ErrorCode::kSuperseded) {
      fail(id.error());
      return;
    }
    log_warn("no checkpoint can be started", {{"error", id.error().to_string()}});
    if (auto decision = coordinator_->storage_failed(0, now_ms)) drop_checkpoint(*decision);
    return;
  }
  // A savepoint stands for itself, and another file or parallelism cannot take over rows in flight.
  const bool aligned =
      final || (replacement_ && !replacement_->tried) || std::ranges::any_of(waiting_, [](const Waiting& waiting) {
        return waiting.checkpoint_id == 0 && !waiting.order.target.empty();
      });
  coordinator_->started(*id, final, now_ms, aligned);
  triggered_ms_ = now_ms;
  final_in_flight_ = final;
  note_checkpoint_started(view_, *id, now_ms, !waiting_.empty());
  attach_waiting(*id);
  send(TriggerCheckpoint{view_.job_id, view_.attempt, *id, final});
}

void JobMaster::overtake_if_due() {
  const std::optional<int64_t> id = coordinator_->overtake(config_.clock->wall_ms());
  if (!id) return;
  if (CheckpointView* checkpoint = find_checkpoint(view_, *id)) checkpoint->unaligned = true;
  send(OvertakeCheckpoint{view_.job_id, view_.attempt, *id});
}

void JobMaster::on(const SnapshotTaken& message) {
  if (view_.state != JobState::kRunning) return;
  const SnapshotVerdict verdict = coordinator_->snapshot_taken(message.checkpoint_id, message.handle);
  if (verdict == SnapshotVerdict::kStale) return;
  if (CheckpointView* checkpoint = find_checkpoint(view_, message.checkpoint_id)) checkpoint->acknowledged += 1;
  if (verdict == SnapshotVerdict::kComplete) complete(message.checkpoint_id);
}

void JobMaster::on(const SnapshotFailed& message) {
  if (view_.state != JobState::kRunning) return;
  log_warn("snapshot failed", {{"checkpoint", message.checkpoint_id}, {"error", message.message}});
  if (auto decision = coordinator_->snapshot_failed(message.checkpoint_id, message.task, config_.clock->wall_ms())) {
    if (CheckpointView* checkpoint = find_checkpoint(view_, message.checkpoint_id)) {
      checkpoint->failure = message.message;
    }
    drop_checkpoint(*decision);
  }
}

void JobMaster::complete(int64_t checkpoint_id) {
  const int64_t now_ms = config_.clock->wall_ms();
  uint64_t bytes = 0;
  uint64_t written = 0;
  for (const SnapshotHandle& handle : coordinator_->handles()) {
    bytes += handle.full_bytes();
    written += handle.written;
  }
  // Before the checkpoint: a crash in between leaves the new file with the old file's checkpoint, as any upgrade does.
  if (replacement_ && replacement_->tried) replacement_holds();
  crash_point("complete.before");
  if (Status status =
          store_->complete(checkpoint_id, final_in_flight_, coordinator_->handles(), coordinator_->overtaking());
      !status) {
    if (status.error().code == ErrorCode::kSuperseded) {
      fail(status.error());
      return;
    }
    log_warn("checkpoint not written", {{"checkpoint", checkpoint_id}, {"error", status.error().to_string()}});
    if (auto decision = coordinator_->storage_failed(checkpoint_id, now_ms)) drop_checkpoint(*decision);
    return;
  }
  crash_point("complete.after");
  const std::vector<int64_t> subsumed = coordinator_->completed(checkpoint_id, now_ms);
  send(CheckpointCompleted{view_.job_id, view_.attempt, checkpoint_id});
  remove_subsumed(subsumed);
  verify_restore_ = false;
  view_.checkpoints_completed += 1;
  view_.last_checkpoint_id = checkpoint_id;
  notify_at_ms_ = now_ms + kNotifyAgainMs;
  view_.last_checkpoint_ms = now_ms;
  view_.last_checkpoint_duration_ms = now_ms - triggered_ms_;
  view_.last_checkpoint_bytes = bytes;
  if (CheckpointView* checkpoint = find_checkpoint(view_, checkpoint_id)) {
    checkpoint->status = CheckpointStatus::kCompleted;
    checkpoint->ended_ms = now_ms;
    checkpoint->bytes = bytes;
    checkpoint->written = written;
    checkpoint->path = checkpoint_path(view_.directory, checkpoint_id);
  }
  metrics_.checkpoint_completed(now_ms - triggered_ms_, bytes, written, now_ms);
  log_debug("checkpoint completed", {{"checkpoint", checkpoint_id}, {"bytes", bytes}, {"written", written}});
  finish_attached(checkpoint_id);
  if (replacement_ && replacement_->checkpoint_id == checkpoint_id && !replacement_->tried) {
    begin_replacement();
    return;
  }
  if (!measure_state(checkpoint_id)) return;
  end_when_settled();
}

/// What is being copied to a savepoint stays until that is done.
void JobMaster::remove_subsumed(const std::vector<int64_t>& subsumed) {
  removable_.insert(removable_.end(), subsumed.begin(), subsumed.end());
  std::erase_if(removable_, [this](int64_t id) {
    for (const auto& [trigger, copy] : copies_) {
      if (copy.checkpoint_id == id) return false;
    }
    if (Status removed = store_->remove(id); !removed) log_debug("old checkpoint stays", {{"checkpoint", id}});
    return true;
  });
}

void JobMaster::drop_checkpoint(const AbortDecision& decision) {
  const int64_t now_ms = config_.clock->wall_ms();
  view_.checkpoints_failed += 1;
  metrics_.checkpoint_failed();
  const char* cause = decision.cause == AbortCause::kTimeout ? "timed out" : "failed";
  if (decision.checkpoint_id != 0) {
    send(CheckpointAborted{view_.job_id, view_.attempt, decision.checkpoint_id});
    if (Status removed = store_->remove(decision.checkpoint_id); !removed) {
      log_debug("aborted checkpoint stays", {{"checkpoint", decision.checkpoint_id}});
    }
    std::string reason = cause;
    if (CheckpointView* checkpoint = find_checkpoint(view_, decision.checkpoint_id)) {
      checkpoint->status = CheckpointStatus::kFailed;
      checkpoint->ended_ms = now_ms;
      if (checkpoint->failure.empty()) checkpoint->failure = cause;
      reason = checkpoint->failure;
    }
    fail_attached(decision.checkpoint_id,
                  failure_of({ErrorCode::kCheckpointFailed,
                              "checkpoint " + std::to_string(decision.checkpoint_id) + ": " + reason, ""},
                             now_ms));
  }
  log_warn(std::string("checkpoint ") + cause,
           {{"checkpoint", decision.checkpoint_id}, {"missing_tasks", decision.missing.size()}});
  if (!decision.fail_job) return;
  fail(Error{ErrorCode::kCheckpointFailed,
             std::to_string(coordinator_->failures_in_row()) + " checkpoints in a row " + cause,
             "raise settings.checkpoint.timeout, or look for the step that is back-pressured"});
}

void JobMaster::request_checkpoint(const std::string& trigger_id) {
  if (!trigger_id.empty()) {
    note_operation(view_, trigger_id, OperationKind::kCheckpoint);
    waiting_.push_back({{trigger_id, ""}, 0});
  }
  if (view_.state == JobState::kRunning) coordinator_->request_checkpoint();
  on_time();
}

void JobMaster::request_savepoint(const SavepointOrder& order) {
  note_operation(view_, order.trigger_id, OperationKind::kSavepoint);
  waiting_.push_back({order, 0});
  if (view_.state == JobState::kRunning) coordinator_->request_checkpoint();
  on_time();
}

void JobMaster::attach_waiting(int64_t checkpoint_id) {
  for (Waiting& waiting : waiting_) {
    if (waiting.checkpoint_id == 0) waiting.checkpoint_id = checkpoint_id;
  }
  if (replacement_ && !replacement_->tried && replacement_->checkpoint_id == 0) {
    replacement_->checkpoint_id = checkpoint_id;
  }
}

void JobMaster::finish_attached(int64_t checkpoint_id) {
  std::vector<Waiting> done;
  std::erase_if(waiting_, [&](const Waiting& waiting) {
    if (waiting.checkpoint_id != checkpoint_id) return false;
    done.push_back(waiting);
    return true;
  });
  for (const Waiting& waiting : done) {
    if (waiting.order.target.empty()) {
      operation_done(view_, waiting.order.trigger_id, checkpoint_path(view_.directory, checkpoint_id));
    } else {
      copy_savepoint(checkpoint_id, waiting.order);
    }
  }
}

void JobMaster::fail_attached(int64_t checkpoint_id, const JobFailure& failure) {
  std::erase_if(waiting_, [&](const Waiting& waiting) {
    if (waiting.checkpoint_id != checkpoint_id) return false;
    operation_failed(view_, waiting.order.trigger_id, failure);
    return true;
  });
  if (replacement_ && !replacement_->tried && replacement_->checkpoint_id == checkpoint_id) {
    operation_failed(view_, replacement_->order.trigger_id, failure);
    replacement_.reset();
  }
}

void JobMaster::copy_savepoint(int64_t checkpoint_id, const SavepointOrder& order) {
  copies_[order.trigger_id] = {checkpoint_id, order.target};
  auto copy = [fs = config_.fs, directory = view_.directory, checkpoint_id, target = order.target] {
    return write_savepoint(*fs, directory, checkpoint_id, target);
  };
  if (config_.copy_aside) {
    config_.copy_aside(order.trigger_id, std::move(copy));
  } else {
    savepoint_written(order.trigger_id, copy());
  }
}

void JobMaster::savepoint_written(const std::string& trigger_id, const Status& status) {
  const auto copy = copies_.find(trigger_id);
  if (copy == copies_.end()) return;
  const bool of_stop = stop_requested_ && trigger_id == stop_.savepoint.trigger_id;
  const std::string target = copy->second.target;
  CheckpointView* checkpoint = find_checkpoint(view_, copy->second.checkpoint_id);
  copies_.erase(copy);
  if (status) {
    if (checkpoint != nullptr) checkpoint->path = target;  // the checkpoint itself goes one day
    log_info("savepoint written", {{"job", view_.name}, {"path", target}});
    // A stop is done when the job has ended.
    if (!of_stop) operation_done(view_, trigger_id, target);
  } else {
    log_warn("savepoint not written", {{"path", target}, {"error", status.error().to_string()}});
    operation_failed(view_, trigger_id, failure_of(status.error(), config_.clock->wall_ms()));
  }
  remove_subsumed({});
  if (of_stop) stop_copied_ = true;
  end_when_settled();
}

/// A stop has done what it was asked for when its job has ended; everything else that still waits never will.
void JobMaster::end_operations() {
  const std::string& stop = stop_.savepoint.trigger_id;
  const bool kept = view_.state == JobState::kSuspended || view_.state == JobState::kFinished;
  if (stop_requested_ && !stop.empty() && kept && (stop_.savepoint.target.empty() || stop_copied_)) {
    operation_done(view_, stop,
                   stop_.savepoint.target.empty() ? checkpoint_path(view_.directory, view_.last_checkpoint_id)
                                                  : stop_.savepoint.target);
  }
  for (const OperationView& operation : std::vector<OperationView>(view_.operations)) {
    if (operation.done) continue;
    operation_failed(view_, operation.trigger_id,
                     view_.failure ? *view_.failure
                                   : failure_of({ErrorCode::kRefusedByState, "the job ended before this was done", ""},
                                                config_.clock->wall_ms()));
  }
}

/// Against the newest checkpoint, by the plan that a task manager makes before it restores.
Status JobMaster::check_replacement(const ReplaceOrder& order) {
  const uint32_t wanted = order.graph->settings.max_parallelism;
  const uint32_t held = config_.graph->settings.max_parallelism;
  if (wanted != held) {
    return make_error(ErrorCode::kIncompatibleState,
                      "the state was written with max_parallelism " + std::to_string(held) + ", the new file has " +
                          std::to_string(wanted),
                      "max_parallelism is fixed for the life of the state");
  }
  MR_ASSIGN(const std::optional<CheckpointMetadata> newest, store_->newest());
  if (!newest) return {};
  MR_ASSIGN(const StatePlan plan, plan_against(*config_.fs, *newest, *order.graph));
  return check_state_plan(plan, order.allow_dropped_state);
}

void JobMaster::request_replacement(ReplaceOrder order) {
  note_operation(view_, order.trigger_id, order.kind);
  const auto refuse = [&](const Error& error) {
    operation_failed(view_, order.trigger_id, failure_of(error, config_.clock->wall_ms()));
  };
  if (replacement_) return refuse({ErrorCode::kRefusedByState, "another rescale or upgrade is under way", ""});
  if (const Status fits = check_replacement(order); !fits) return refuse(fits.error());
  const bool nothing_runs = view_.state == JobState::kCreated || view_.state == JobState::kRestarting;
  replacement_ = Replacement{std::move(order), 0, false};
  if (view_.state == JobState::kRunning) coordinator_->request_checkpoint();
  if (nothing_runs && cancelling_.empty() && can_take_over_rows(*replacement_->order.graph)) begin_replacement();
  on_time();
}

void JobMaster::take_settings_of_file() {
  settings_ = config_.graph->settings.checkpoint;
  if (auto changed = changed_checkpoint_settings(settings_, store_->record().checkpoint_changes); changed) {
    settings_ = *changed;
  } else {
    log_warn("the changed checkpoint settings do not fit the file", {{"error", changed.error().to_string()}});
  }
  view_.checkpoint_settings = checkpoint_settings_text(settings_);
}

Result<CheckpointChanges> JobMaster::change_checkpoint_settings(const CheckpointChanges& changes) {
  if (is_terminal(view_.state)) return make_error(ErrorCode::kRefusedByState, "the job has ended");
  MR_TRY(changed_checkpoint_settings(settings_, changes));
  CheckpointChanges all = store_->record().checkpoint_changes;
  for (const auto& [field, value] : changes) all[field] = value;
  MR_TRY(store_->set_checkpoint_changes(std::move(all)));
  take_settings_of_file();
  if (coordinator_) coordinator_->change_policy(checkpoint_policy(settings_));
  log_info("checkpoint settings changed", {{"job", view_.name}});
  on_time();
  return view_.checkpoint_settings;
}

/// Rows in flight in the newest checkpoint go on between the same subtasks only.
bool JobMaster::can_take_over_rows(const JobGraph& graph) const {
  const auto newest = store_->newest();
  return newest && (!*newest || !(*newest)->unaligned || same_channels(*config_.graph, graph));
}

/// Rows in flight are handled by the file that sent them: it runs until an aligned checkpoint, and then the new one.
Status JobMaster::begin_with_former_file(const std::optional<JobRecord>& former) {
  MR_ASSIGN(const std::optional<CheckpointMetadata> newest, store_->newest());
  if (!newest || !newest->unaligned || !former || former->job_id != newest->job_id || !config_.plan) return {};
  if (former->spec.empty() || former->spec == config_.spec_yaml) return {};
  const auto graph = config_.plan(former->spec);
  if (!graph || same_channels(**graph, *config_.graph)) return {};  // the task managers refuse what does not fit
  log_info("rows are in flight: the former file goes on until they are handled",
           {{"job", view_.name}, {"checkpoint", newest->checkpoint_id}});
  ReplaceOrder order{.trigger_id = "",
                     .kind = OperationKind::kUpgrade,
                     .graph = std::exchange(config_.graph, *graph),
                     .spec_yaml = std::exchange(config_.spec_yaml, former->spec),
                     .allow_dropped_state = config_.options.allow_dropped_state,
                     .no_way_back = true};
  replacement_ = Replacement{std::move(order), 0, false};
  tasks_ = tasks_of(make_physical_plan(*config_.graph));
  return store_->set_spec(config_.spec_yaml);
}

/// The new file takes the old one's place; `order` keeps the old one until the new one has proved itself.
void JobMaster::begin_replacement() {
  // The checkpoint just made is what the new file starts from; the old one still runs when it does not fit.
  if (const Status fits = check_replacement(replacement_->order); !fits) {
    operation_failed(view_, replacement_->order.trigger_id, failure_of(fits.error(), config_.clock->wall_ms()));
    replacement_.reset();
    return;
  }
  replacement_->tried = true;
  std::swap(config_.graph, replacement_->order.graph);
  std::swap(config_.spec_yaml, replacement_->order.spec_yaml);
  std::swap(config_.options.allow_dropped_state, replacement_->order.allow_dropped_state);
  tasks_ = tasks_of(make_physical_plan(*config_.graph));
  take_settings_of_file();
  log_info("job changes its file", {{"job", view_.name}});
  if (view_.state != JobState::kRunning) {
    if (view_.state == JobState::kCreated || waits_for_slots_) deploy_or_fail();
    return;
  }
  (void)coordinator_->cancel();
  change(JobState::kRestarting);
  restart_at_ms_ = INT64_MAX;  // attempt_ended() tells
  cancel_attempt();
}

void JobMaster::take_back_replacement() {
  std::swap(config_.graph, replacement_->order.graph);
  std::swap(config_.spec_yaml, replacement_->order.spec_yaml);
  std::swap(config_.options.allow_dropped_state, replacement_->order.allow_dropped_state);
  tasks_ = tasks_of(make_physical_plan(*config_.graph));
  operation_failed(view_, replacement_->order.trigger_id, *view_.failure);
  replacement_.reset();
  took_back_ = true;
  take_settings_of_file();
  log_warn("the new file failed before its first checkpoint: the old one goes on", {{"job", view_.name}});
}

void JobMaster::replacement_holds() {
  if (Status written = store_->set_spec(config_.spec_yaml); !written) {
    log_warn("the new job file was not recorded", {{"error", written.error().to_string()}});
  }
  if (replacement_->order.kind == OperationKind::kUpgrade && !store_->record().checkpoint_changes.empty()) {
    if (Status dropped = store_->set_checkpoint_changes({}); !dropped) log_warn("the old file's settings stay", {});
    take_settings_of_file();
    coordinator_->change_policy(checkpoint_policy(settings_));
  }
  if (config_.on_new_spec) config_.on_new_spec(config_.spec_yaml);
  operation_done(view_, replacement_->order.trigger_id, "");
  replacement_.reset();
}

}  // namespace millrace
