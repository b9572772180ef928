#include "jobmanager/job_master.h"

#include <algorithm>

#include "core/crash_point.h"
#include "core/log.h"

namespace millrace {

namespace {

constexpr int64_t kNotifyAgainMs = 10'000;

std::vector<TaskId> tasks_of(const PhysicalPlan& plan) {
  std::vector<TaskId> tasks;
  for (uint32_t chain = 0; chain < plan.chains.size(); ++chain) {
    for (uint32_t subtask = 0; subtask < plan.chains[chain].parallelism; ++subtask) tasks.push_back({chain, subtask});
  }
  return tasks;
}

bool is_permanent(std::string_view code) {
  const ErrorInfo* info = find_error_info(code);
  return info == nullptr || info->retry == Retry::kPermanent;
}

}  // namespace

JobMaster::JobMaster(JobMasterConfig config)
    : config_(std::move(config)),
      tasks_(tasks_of(make_physical_plan(*config_.graph))),
      restart_policy_(config_.graph->settings.restart, *config_.random) {
  view_.name = config_.graph->name;
  view_.tasks = static_cast<uint32_t>(tasks_.size());
}

JobMaster::~JobMaster() = default;

Status JobMaster::start() {
  MR_ASSIGN(store_, CheckpointStore::open(*config_.fs, *config_.random, *config_.clock,
                                          {.root = config_.checkpoint_root,
                                           .name = config_.graph->name,
                                           .spec = config_.spec_yaml,
                                           .max_parallelism = config_.graph->settings.max_parallelism,
                                           .start = config_.start}));
  view_.job_id = store_->record().job_id.to_string();
  view_.directory = store_->directory();
  view_.started_ms = config_.clock->wall_ms();
  metrics_.open(config_.metrics, view_.job_id, view_.name);
  MR_TRY(deploy());
  return {};
}

Status JobMaster::deploy() {
  MR_ASSIGN(std::optional<CheckpointMetadata> restored, store_->newest());
  view_.attempt = store_->record().attempt;
  view_.restored_checkpoint = restored ? restored->checkpoint_id : 0;
  coordinator_.emplace(checkpoint_policy(config_.graph->settings.checkpoint), tasks_, store_->completed_ids(),
                       config_.clock->wall_ms());
  if (stop_requested_) coordinator_->request_stop();
  sinks_ = SinkProgress(*config_.graph);
  if (!sinks_.empty()) {
    coordinator_->expect_restored_settled();
    coordinator_->expect_epochs_settled();
  }
  final_in_flight_ = false;
  permanent_failure_ = false;
  DeployJob message;
  message.job_id = view_.job_id;
  message.attempt = view_.attempt;
  message.spec_yaml = config_.spec_yaml;
  message.job_directory = view_.directory;
  message.until_done = config_.until_done;
  message.allow_dropped_state = config_.allow_dropped_state;
  message.incarnation = store_->record().incarnation;
  message.republish = config_.republish;
  message.accept_lost_progress = config_.accept_lost_progress;
  if (restored) {
    message.restore_checkpoint = restored->checkpoint_id;
    message.restore = std::move(restored->handles);
    message.restore_max_parallelism = restored->max_parallelism;
  }
  log_info("job starts", {{"job", view_.name},
                          {"job_id", view_.job_id},
                          {"attempt", view_.attempt},
                          {"restored_checkpoint", view_.restored_checkpoint}});
  change(JobState::kRunning);
  config_.task_manager->send(std::move(message));
  return {};
}

void JobMaster::change(JobState to) {
  MR_CHECK(may_change(view_.state, to),
           std::string(job_state_name(view_.state)) + " to " + std::string(job_state_name(to)));
  view_.state = to;
  metrics_.state(to);
}

void JobMaster::handle(const ToJobManager& message) {
  std::visit(
      [this](const auto& m) {
        if (m.job_id != view_.job_id || m.attempt != view_.attempt || is_terminal(view_.state)) {
          log_debug("stale message dropped", {{"job_id", m.job_id}, {"attempt", m.attempt}});
          return;
        }
        on(m);
      },
      message);
  on_time();
}

void JobMaster::on(const TaskRunning& message) { coordinator_->task_running(message.task); }
void JobMaster::on(const TaskFinished& message) { coordinator_->task_finished(message.task); }

void JobMaster::on(const SnapshotTaken& message) {
  if (view_.state != JobState::kRunning) return;
  if (coordinator_->snapshot_taken(message.checkpoint_id, message.handle) == SnapshotVerdict::kComplete) {
    complete(message.checkpoint_id);
  }
}

void JobMaster::on(const SnapshotFailed& message) {
  if (view_.state != JobState::kRunning) return;
  log_warn("snapshot failed", {{"checkpoint", message.checkpoint_id}, {"error", message.message}});
  if (auto decision = coordinator_->snapshot_failed(message.checkpoint_id, message.task, config_.clock->wall_ms())) {
    drop_checkpoint(*decision);
  }
}

void JobMaster::on(const TaskFailed& message) {
  fail({message.step, message.error_code, message.message, message.help, config_.clock->wall_ms()},
       is_permanent(message.error_code));
}

void JobMaster::on(const RestoredSettled& message) {
  if (view_.state != JobState::kRunning || !sinks_.restored_settled(message.task, message.sink)) return;
  coordinator_->restored_settled();
  log_debug("restored output is published", {{"job", view_.name}});
}

void JobMaster::on(const EpochSettled& message) {
  if (view_.state != JobState::kRunning) return;
  coordinator_->epoch_settled(sinks_.epoch_settled(message.task, message.sink, message.epoch));
  end_when_settled();
}

void JobMaster::on(const JobCancelled&) { attempt_ended(); }

void JobMaster::complete(int64_t checkpoint_id) {
  const int64_t now_ms = config_.clock->wall_ms();
  uint64_t bytes = 0;
  for (const SnapshotHandle& handle : coordinator_->handles()) bytes += handle.bytes;
  crash_point("complete.before");
  if (Status status = store_->complete(checkpoint_id, final_in_flight_, coordinator_->handles()); !status) {
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
  config_.task_manager->send(CheckpointCompleted{view_.job_id, view_.attempt, checkpoint_id});
  for (const int64_t old : subsumed) {
    if (Status removed = store_->remove(old); !removed) log_debug("old checkpoint stays", {{"checkpoint", old}});
  }
  view_.checkpoints_completed += 1;
  view_.last_checkpoint_id = checkpoint_id;
  notify_at_ms_ = now_ms + kNotifyAgainMs;
  view_.last_checkpoint_ms = now_ms;
  view_.last_checkpoint_duration_ms = now_ms - triggered_ms_;
  view_.last_checkpoint_bytes = bytes;
  metrics_.checkpoint_completed(now_ms - triggered_ms_, bytes, now_ms);
  log_debug("checkpoint completed", {{"checkpoint", checkpoint_id}, {"bytes", bytes}});
  end_when_settled();
}

/// Behind the final checkpoint, once its output is published too.
void JobMaster::end_when_settled() {
  if (!coordinator_->ended() || !coordinator_->all_settled()) return;
  change(JobState::kEnding);
  config_.task_manager->send(CancelJob{view_.job_id, view_.attempt});
}

void JobMaster::drop_checkpoint(const AbortDecision& decision) {
  view_.checkpoints_failed += 1;
  metrics_.checkpoint_failed();
  if (decision.checkpoint_id != 0) {
    config_.task_manager->send(CheckpointAborted{view_.job_id, view_.attempt, decision.checkpoint_id});
    if (Status removed = store_->remove(decision.checkpoint_id); !removed) {
      log_debug("aborted checkpoint stays", {{"checkpoint", decision.checkpoint_id}});
    }
  }
  const char* cause = decision.cause == AbortCause::kTimeout ? "timed out" : "failed";
  log_warn(std::string("checkpoint ") + cause,
           {{"checkpoint", decision.checkpoint_id}, {"missing_tasks", decision.missing.size()}});
  if (!decision.fail_job) return;
  fail(Error{ErrorCode::kCheckpointFailed,
             std::to_string(coordinator_->failures_in_row()) + " checkpoints in a row " + cause,
             "raise settings.checkpoint.timeout, or look for the step that is back-pressured"});
}

void JobMaster::fail(const Error& error) {
  fail({"", std::string(error.info().code), error.message, error.help, config_.clock->wall_ms()},
       error.info().retry == Retry::kPermanent);
}

void JobMaster::fail(JobFailure failure, bool permanent) {
  if (view_.state != JobState::kRunning && view_.state != JobState::kEnding) return;  // the first failure counts
  log_error("job failed",
            {{"job", view_.name}, {"step", failure.step}, {"code", failure.code}, {"error", failure.message}});
  view_.failure = std::move(failure);
  permanent_failure_ = permanent;
  if (const auto dropped = coordinator_->cancel()) {
    if (Status removed = store_->remove(*dropped); !removed) log_debug("checkpoint stays", {{"checkpoint", *dropped}});
  }
  change(JobState::kFailing);
  config_.task_manager->send(CancelJob{view_.job_id, view_.attempt});
}

void JobMaster::attempt_ended() {
  switch (view_.state) {
    case JobState::kEnding:
      if (coordinator_->all_finished()) {
        end(JobState::kFinished, JobStatus::kFinished);
      } else {
        end(JobState::kSuspended, JobStatus::kSuspended);
      }
      return;
    case JobState::kFailing:
      restart_or_give_up();
      return;
    case JobState::kCancelling:
      if (resumable_cancel_) {
        change(JobState::kCanceled);  // the record stays RUNNING, as after a crash
        return;
      }
      end(JobState::kCanceled, JobStatus::kCanceled);
      return;
    default:
      return;
  }
}

void JobMaster::restart_or_give_up() {
  if (stop_requested_ && !permanent_failure_) {
    end(JobState::kSuspended, JobStatus::kSuspended);
    return;
  }
  const int64_t now_ms = config_.clock->wall_ms();
  const std::optional<int64_t> delay = permanent_failure_ ? std::nullopt : restart_policy_.on_failure(now_ms);
  if (!delay) {
    end(JobState::kFailed, JobStatus::kFailed);
    return;
  }
  change(JobState::kRestarting);
  restart_at_ms_ = now_ms + *delay;
  view_.restarts += 1;
  metrics_.restarted();
  log_info("job restarts", {{"job", view_.name}, {"delay_ms", *delay}});
}

void JobMaster::end(JobState state, JobStatus status) {
  change(state);
  if (Status written = store_->set_status(status); !written) {
    log_warn("the job's status was not written", {{"error", written.error().to_string()}});
  }
  log_info("job ended", {{"job", view_.name}, {"state", job_state_name(state)}});
}

void JobMaster::request_stop() {
  stop_requested_ = true;
  if (view_.state == JobState::kRunning) coordinator_->request_stop();
  if (view_.state == JobState::kRestarting) end(JobState::kSuspended, JobStatus::kSuspended);
  on_time();
}

void JobMaster::request_cancel(bool resumable) {
  resumable_cancel_ = resumable;
  if (is_terminal(view_.state) || view_.state == JobState::kCancelling) return;
  if (view_.state == JobState::kRestarting) {
    if (resumable) {
      change(JobState::kCanceled);
    } else {
      end(JobState::kCanceled, JobStatus::kCanceled);
    }
    return;
  }
  const bool told = view_.state == JobState::kFailing || view_.state == JobState::kEnding;
  if (coordinator_) (void)coordinator_->cancel();
  change(JobState::kCancelling);
  if (!told) config_.task_manager->send(CancelJob{view_.job_id, view_.attempt});
}

void JobMaster::request_checkpoint() {
  if (view_.state == JobState::kRunning) coordinator_->request_checkpoint();
  on_time();
}

void JobMaster::on_time() {
  const int64_t now_ms = config_.clock->wall_ms();
  if (view_.state == JobState::kRestarting && now_ms >= restart_at_ms_) {
    restart_at_ms_ = INT64_MAX;
    Status deployed;
    if (auto raised = store_->raise_attempt(); !raised) {
      deployed = std::unexpected(raised.error());
    } else {
      deployed = deploy();
    }
    if (!deployed) {
      const Error& error = deployed.error();
      view_.failure = JobFailure{"", std::string(error.info().code), error.message, error.help, now_ms};
      end(JobState::kFailed, JobStatus::kFailed);
    }
    return;
  }
  if (view_.state != JobState::kRunning) return;
  if (auto decision = coordinator_->check_timeout(now_ms)) drop_checkpoint(*decision);
  if (view_.state == JobState::kRunning) trigger_if_due();
  if (view_.state == JobState::kRunning) notify_again();
}

void JobMaster::notify_again() {
  const int64_t now_ms = config_.clock->wall_ms();
  if (coordinator_->all_settled() || now_ms < notify_at_ms_) return;
  notify_at_ms_ = now_ms + kNotifyAgainMs;
  config_.task_manager->send(CheckpointCompleted{view_.job_id, view_.attempt, view_.last_checkpoint_id});
}

void JobMaster::trigger_if_due() {
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
  coordinator_->started(*id, final, now_ms);
  triggered_ms_ = now_ms;
  final_in_flight_ = final;
  config_.task_manager->send(TriggerCheckpoint{view_.job_id, view_.attempt, *id, final});
}

int64_t JobMaster::next_deadline_ms() const {
  if (view_.state == JobState::kRestarting) return restart_at_ms_;
  if (view_.state != JobState::kRunning) return INT64_MAX;
  int64_t next = INT64_MAX;
  if (coordinator_->in_flight()) next = triggered_ms_ + config_.graph->settings.checkpoint.timeout_ms;
  const TriggerDecision decision = coordinator_->decide_trigger(config_.clock->wall_ms());
  if (decision.kind == TriggerDecision::Kind::kTrigger) return config_.clock->wall_ms();
  if (decision.at_ms >= 0) next = std::min(next, decision.at_ms);
  if (!coordinator_->all_settled()) next = std::min(next, notify_at_ms_);
  return next;
}

}  // namespace millrace
