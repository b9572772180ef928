#include "jobmanager/job_master.h"

#include <algorithm>

#include "core/log.h"
#include "jobmanager/view_history.h"
#include "state/checkpoint_plan.h"
#include "state/protocol/job_tasks.h"

namespace millrace {

namespace {

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

JobMaster::~JobMaster() {
  if (config_.slots != nullptr) config_.slots->release(view_.job_id);
}

Status JobMaster::start() {
  const OpenJob job{.root = config_.checkpoint_root,
                    .name = config_.graph->name,
                    .spec = config_.spec_yaml,
                    .max_parallelism = config_.graph->settings.max_parallelism,
                    .start = config_.options.start};
  // Before the record says that this file runs: a file that is refused leaves everything as it is.
  MR_TRY(check_start(*config_.fs, job, *config_.graph, config_.options.allow_dropped_state));
  // A damaged one is the store's to complain of.
  const auto former = read_job_record(*config_.fs, join_path(config_.checkpoint_root, config_.graph->name));
  MR_ASSIGN(store_, CheckpointStore::open(*config_.fs, *config_.random, *config_.clock, job));
  view_.job_id = store_->record().job_id.to_string();
  view_.directory = store_->directory();
  view_.attempt = store_->record().attempt;
  view_.started_ms = config_.clock->wall_ms();
  if (former) MR_TRY(begin_with_former_file(*former));
  take_settings_of_file();
  note_state(view_, JobState::kCreated, view_.started_ms);
  metrics_.open(config_.metrics, view_.job_id, view_.name);
  if (config_.brought_back) metrics_.restarted(RestartCause::kJobManagerLost);
  if (config_.on_opened) MR_TRY(config_.on_opened(view_));
  return deploy();
}

/// From the newest checkpoint; without enough slots the job stays as it is until slots_changed().
Status JobMaster::deploy() {
  const uint32_t slots = slots_needed(tasks_);
  std::optional<SlotAllocation> allocation = config_.slots->allocate(view_.job_id, slots);
  waits_for_slots_ = !allocation;
  if (!allocation) {
    view_.waiting_for = config_.slots->shortage(slots);
    log_info("job waits for slots", {{"job", view_.name}, {"reason", view_.waiting_for}});
    return {};
  }
  view_.waiting_for.clear();
  allocation_ = std::move(*allocation);
  MR_ASSIGN(std::optional<CheckpointMetadata> restored, store_->newest());
  view_.attempt = store_->record().attempt;
  view_.restored_checkpoint = restored ? restored->checkpoint_id : 0;
  coordinator_.emplace(checkpoint_policy(settings_), tasks_, store_->completed_ids(), config_.clock->wall_ms());
  if (stop_requested_ && !stop_.drain) coordinator_->request_stop();
  if (!waiting_.empty() || replacement_) coordinator_->request_checkpoint();
  sinks_ = SinkProgress(*config_.graph);
  if (!sinks_.empty()) {
    coordinator_->expect_restored_settled();
    coordinator_->expect_epochs_settled();
  }
  final_in_flight_ = false;
  permanent_failure_ = false;
  members_.clear();
  member_lost_ = false;
  cancelling_.clear();
  for (const JobMember& member : allocation_.members) members_.insert(member.task_manager);
  view_.tasks = static_cast<uint32_t>(tasks_.size());
  view_.subtasks.clear();
  for (const TaskId& task : tasks_) {
    view_.subtasks.push_back({task, allocation_.members[allocation_.slots[task.subtask]].task_manager, false, false});
  }
  log_info("job starts", {{"job", view_.name},
                          {"job_id", view_.job_id},
                          {"attempt", view_.attempt},
                          {"restored_checkpoint", view_.restored_checkpoint},
                          {"task_managers", members_.size()}});
  change(JobState::kRunning);
  DeployJob message = deployment(std::move(restored));
  for (size_t m = 0; m < allocation_.members.size(); ++m) {
    message.member = static_cast<uint32_t>(m);
    config_.slots->send(allocation_.members[m].task_manager, message);
  }
  if (stop_requested_ && stop_.drain) send(EndInput{view_.job_id, view_.attempt});
  const StateSettings& state = config_.graph->settings.state;  // perhaps those of a new file
  if (sources_held_) hold_sources(state.on_limit == OnStateLimit::kBackpressure && growth_.forecast(state).over());
  return {};
}

DeployJob JobMaster::deployment(std::optional<CheckpointMetadata> restored) const {
  DeployJob message;
  message.job_id = view_.job_id;
  message.attempt = view_.attempt;
  message.spec_yaml = config_.spec_yaml;
  message.job_directory = view_.directory;
  message.until_done = config_.options.until_done;
  message.allow_dropped_state = config_.options.allow_dropped_state;
  message.incarnation = store_->record().incarnation;
  message.republish = config_.options.republish;
  message.accept_lost_progress = config_.options.accept_lost_progress;
  if (allocation_.members.size() > 1) {
    message.members = allocation_.members;
    message.slots = allocation_.slots;
  }
  if (restored) {
    message.restore_checkpoint = restored->checkpoint_id;
    message.restore = std::move(restored->handles);
    message.restore_max_parallelism = restored->max_parallelism;
    message.restore_verified = verify_restore_;
  }
  return message;
}

void JobMaster::deploy_or_fail() {
  Status deployed = deploy();
  if (!deployed) start_failed(deployed.error());
}

/// Storage that does not answer may do so later.
void JobMaster::start_failed(const Error& error) {
  const int64_t now_ms = config_.clock->wall_ms();
  note_failure(view_, failure_of(error, now_ms));
  std::optional<int64_t> delay;
  if (error.transient() && view_.state == JobState::kRestarting) delay = restart_policy_.on_failure(now_ms);
  if (!delay) return end(JobState::kFailed, JobStatus::kFailed);
  config_.slots->release(view_.job_id);
  restart_in(*delay, RestartCause::kStorage);
}

void JobMaster::restart_in(int64_t delay_ms, RestartCause cause) {
  view_.restarts += 1;
  metrics_.restarted(cause);
  log_info("job restarts", {{"job", view_.name}, {"delay_ms", delay_ms}});
  restart_at_ms_ = config_.clock->wall_ms() + delay_ms;
}

void JobMaster::slots_changed() {
  if (waits_for_slots_ && (view_.state == JobState::kCreated || view_.state == JobState::kRestarting)) deploy_or_fail();
}

void JobMaster::send(ToTaskManager message) {
  for (const std::string& member : members_) config_.slots->send(member, message);
}

void JobMaster::change(JobState to) {
  MR_CHECK(may_change(view_.state, to),
           std::string(job_state_name(view_.state)) + " to " + std::string(job_state_name(to)));
  note_state(view_, to, config_.clock->wall_ms());
  metrics_.state(to);
}

void JobMaster::handle(const ToJobManager& message, const std::string& task_manager) {
  answering_ = task_manager;
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

void JobMaster::on(const TaskRunning& message) {
  for (TaskView& task : view_.subtasks) task.running = task.running || task.task == message.task;
  coordinator_->task_running(message.task);
}

void JobMaster::on(const TaskFinished& message) {
  for (TaskView& task : view_.subtasks) task.finished = task.finished || task.task == message.task;
  coordinator_->task_finished(message.task);
}

void JobMaster::on(const TaskFailed& message) {
  JobFailure failure;
  failure.step = message.step;
  failure.code = message.error_code;
  failure.message = message.message;
  failure.help = message.help;
  failure.at_ms = config_.clock->wall_ms();
  const bool again = is_working_copy(message);
  fail(std::move(failure), !again && is_permanent(message.error_code));
}

/// A task that ran and found its state damaged has a bad working copy. The checkpoint may be good: the next attempt
/// compares its files first, and a second failure of this kind is final.
bool JobMaster::is_working_copy(const TaskFailed& message) {
  if (message.error_code != error_info(ErrorCode::kCorruptState).code) return false;
  const bool ran = std::ranges::any_of(view_.subtasks,
                                       [&](const TaskView& task) { return task.task == message.task && task.running; });
  return ran && !std::exchange(verify_restore_, true);
}

void JobMaster::on(const RestoredSettled& message) {
  if (view_.state != JobState::kRunning || !sinks_.restored_settled(message.task, message.sink)) return;
  coordinator_->restored_settled();
  log_debug("restored output is published", {{"job", view_.name}});
  end_when_settled();  // a cancellation may have waited for it, through a restart
}

void JobMaster::on(const EpochSettled& message) {
  if (view_.state != JobState::kRunning) return;
  coordinator_->epoch_settled(sinks_.epoch_settled(message.task, message.sink, message.epoch));
  end_when_settled();
}

void JobMaster::on(const JobCancelled&) {
  if (cancelling_.erase(answering_) == 0) return;
  members_.erase(answering_);
  if (cancelling_.empty()) attempt_ended();
}

void JobMaster::task_manager_lost(const std::string& task_manager, const std::string& reason) {
  if (is_terminal(view_.state) || members_.erase(task_manager) == 0) return;
  member_lost_ = true;
  if (cancelling_.erase(task_manager) > 0) {  // its tasks have ended, one way or another
    if (cancelling_.empty()) attempt_ended();
    return;
  }
  fail(Error{ErrorCode::kTaskManagerLost, "the task manager " + task_manager + " was lost: " + reason, ""});
}

/// Tells every member that is still there; attempt_ended() follows when all have answered.
void JobMaster::cancel_attempt() {
  cancelling_ = members_;
  send(CancelJob{view_.job_id, view_.attempt});
  if (cancelling_.empty()) attempt_ended();
}

void JobMaster::attempt_ended() {
  config_.slots->release(view_.job_id);
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
    case JobState::kRestarting:
      restart_at_ms_ = config_.clock->wall_ms();
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

/// Behind the final checkpoint, once its output is published and its savepoint is written.
void JobMaster::end_when_settled() {
  if (view_.state != JobState::kRunning) return;
  if (cancel_when_settled_ && coordinator_->all_settled()) {
    request_cancel(resumable_cancel_, true);
    return;
  }
  if (!coordinator_->ended() || !coordinator_->all_settled() || !copies_.empty()) return;
  if (stop_requested_ && !stop_.savepoint.target.empty() && !stop_copied_) {
    copy_savepoint(view_.last_checkpoint_id, stop_.savepoint);
    if (!copies_.empty() || view_.state != JobState::kRunning) return;
  }
  change(JobState::kEnding);
  cancel_attempt();
}

void JobMaster::fail(const Error& error) {
  fail(failure_of(error, config_.clock->wall_ms()), error.info().retry == Retry::kPermanent);
}

void JobMaster::fail(JobFailure failure, bool permanent) {
  if (view_.state != JobState::kRunning && view_.state != JobState::kEnding) return;  // the first failure counts
  log_error("job failed",
            {{"job", view_.name}, {"step", failure.step}, {"code", failure.code}, {"error", failure.message}});
  note_failure(view_, std::move(failure));
  permanent_failure_ = permanent;
  if (const auto dropped = coordinator_->cancel()) {
    fail_attached(*dropped, *view_.failure);
    if (Status removed = store_->remove(*dropped); !removed) log_debug("checkpoint stays", {{"checkpoint", *dropped}});
  }
  change(JobState::kFailing);
  if (replacement_ && replacement_->tried && !replacement_->order.no_way_back) take_back_replacement();
  cancel_attempt();
}

void JobMaster::restart_or_give_up() {
  if (stop_requested_ && !permanent_failure_ && stop_.savepoint.trigger_id.empty()) {
    end(JobState::kSuspended, JobStatus::kSuspended);
    return;
  }
  const int64_t now_ms = config_.clock->wall_ms();
  std::optional<int64_t> delay;
  RestartCause cause = restart_cause_of(view_.failure ? view_.failure->code : "");
  if (std::exchange(took_back_, false)) {
    delay = 0;
    cause = RestartCause::kRollback;
  } else if (member_lost_ && !permanent_failure_) {
    // Not the job's failure: at once, and not counted. What survivors told first, a lost connection, follows from it.
    delay = 0;
    cause = RestartCause::kTaskManagerLost;
  } else if (!permanent_failure_) {
    delay = restart_policy_.on_failure(now_ms);
  }
  if (!delay) {
    end(JobState::kFailed, JobStatus::kFailed);
    return;
  }
  change(JobState::kRestarting);
  restart_in(*delay, cause);
}

void JobMaster::end(JobState state, JobStatus status) {
  change(state);
  waits_for_slots_ = false;
  view_.waiting_for.clear();
  end_operations();
  if (Status written = store_->set_status(status); !written) {
    log_warn("the job's status was not written", {{"error", written.error().to_string()}});
  }
  log_info("job ended", {{"job", view_.name}, {"state", job_state_name(state)}});
}

void JobMaster::request_stop(const StopOrder& order) {
  if (is_terminal(view_.state)) return;
  if (!order.savepoint.trigger_id.empty()) note_operation(view_, order.savepoint.trigger_id, OperationKind::kStop);
  stop_requested_ = true;
  stop_ = order;
  const bool nothing_runs = view_.state == JobState::kCreated || view_.state == JobState::kRestarting;
  if (view_.state == JobState::kRunning) {
    if (order.drain) {
      send(EndInput{view_.job_id, view_.attempt});
    } else {
      coordinator_->request_stop();
    }
  } else if (nothing_runs && cancelling_.empty()) {
    end(JobState::kSuspended, JobStatus::kSuspended);
  }
  on_time();
}

void JobMaster::request_cancel(bool resumable, bool now) {
  resumable_cancel_ = resumable;
  if (is_terminal(view_.state) || view_.state == JobState::kCancelling) return;
  if (!now && view_.state == JobState::kRunning && !coordinator_->all_settled()) {
    cancel_when_settled_ = true;
    return;
  }
  if (view_.state == JobState::kCreated || (view_.state == JobState::kRestarting && cancelling_.empty())) {
    if (resumable) {
      change(JobState::kCanceled);
    } else {
      end(JobState::kCanceled, JobStatus::kCanceled);
    }
    return;
  }
  const bool told = !cancelling_.empty();
  if (coordinator_) (void)coordinator_->cancel();
  change(JobState::kCancelling);
  if (!told) cancel_attempt();
}

void JobMaster::request_tap(const std::string& tap_id, const std::string& step, uint32_t rows, int64_t for_ms) {
  if (view_.state == JobState::kRunning) send(TapStep{view_.job_id, view_.attempt, tap_id, step, rows, for_ms});
}

void JobMaster::on_time() {
  const int64_t now_ms = config_.clock->wall_ms();
  if (view_.state == JobState::kRestarting && now_ms >= restart_at_ms_) {
    restart_at_ms_ = INT64_MAX;
    if (auto raised = store_->raise_attempt(); !raised) {
      start_failed(raised.error());
      return;
    }
    deploy_or_fail();
    return;
  }
  if (view_.state != JobState::kRunning) return;
  if (auto decision = coordinator_->check_timeout(now_ms)) drop_checkpoint(*decision);
  if (view_.state == JobState::kRunning) trigger_if_due();
  if (view_.state == JobState::kRunning) overtake_if_due();
  if (view_.state == JobState::kRunning) notify_again();
}

void JobMaster::notify_again() {
  const int64_t now_ms = config_.clock->wall_ms();
  if (coordinator_->all_settled() || now_ms < notify_at_ms_) return;
  notify_at_ms_ = now_ms + kNotifyAgainMs;
  send(CheckpointCompleted{view_.job_id, view_.attempt, view_.last_checkpoint_id});
}

int64_t JobMaster::next_deadline_ms() const {
  if (view_.state == JobState::kRestarting) return restart_at_ms_;
  if (view_.state != JobState::kRunning) return INT64_MAX;
  int64_t next = INT64_MAX;
  if (coordinator_->in_flight()) next = triggered_ms_ + settings_.timeout_ms;
  const TriggerDecision decision = coordinator_->decide_trigger(config_.clock->wall_ms());
  if (decision.kind == TriggerDecision::Kind::kTrigger && !cancel_when_settled_) return config_.clock->wall_ms();
  if (decision.at_ms >= 0) next = std::min(next, decision.at_ms);
  if (!coordinator_->all_settled()) next = std::min(next, notify_at_ms_);
  return next;
}

}  // namespace millrace
