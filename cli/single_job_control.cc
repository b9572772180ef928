#include "cli/single_job_control.h"

#include "core/ids.h"
#include "core/random.h"

namespace millrace {

namespace {

constexpr size_t kAskedMax = 1000;

std::unexpected<Error> needs_job_manager(const char* what) {
  return make_error(ErrorCode::kRefusedByState, std::string("`millrace run` runs one job and cannot ") + what,
                    "a job manager can: `millrace cluster`, or `millrace jobmanager` with task managers");
}

}  // namespace

std::optional<JobView> SingleJobControl::job(const std::string& id_or_name) const {
  JobView view = job_.view();
  if (view.job_id != id_or_name && view.name != id_or_name) return std::nullopt;
  return view;
}

Status SingleJobControl::running() const {
  const JobView view = job_.view();
  if (!is_terminal(view.state)) return {};
  return make_error(ErrorCode::kRefusedByState,
                    "job `" + view.name + "` has ended: it is " + std::string(job_state_name(view.state)));
}

std::string SingleJobControl::remember(OperationKind kind) {
  const std::lock_guard lock(mutex_);
  if (asked_.size() >= kAskedMax) asked_.erase(asked_.begin());
  const std::string id = JobId::generate(system_random()).to_string();
  asked_[id] = {kind, job_.view().checkpoints_completed};
  return id;
}

Status SingleJobControl::cancel(const std::string& /*job_id*/, bool now) {
  MR_TRY(running());
  job_.request_cancel(now);
  return {};
}

Result<std::string> SingleJobControl::stop(const std::string& /*job_id*/, const StopRequest& request) {
  MR_TRY(running());
  if (request.drain || !request.directory.empty()) return needs_job_manager("drain or choose where it is stopped to");
  std::string id = remember(OperationKind::kStop);
  job_.request_stop();
  return id;
}

Result<std::string> SingleJobControl::checkpoint(const std::string& /*job_id*/) {
  MR_TRY(running());
  std::string id = remember(OperationKind::kCheckpoint);
  job_.request_checkpoint();
  return id;
}

Result<CheckpointChanges> SingleJobControl::change_checkpoint_settings(const std::string& /*job_id*/,
                                                                       const CheckpointChanges& changes) {
  MR_TRY(running());
  return job_.change_checkpoint_settings(changes);
}

Result<SubmitAnswer> SingleJobControl::submit(PlannedJob /*job*/, SubmitOptions /*options*/) {
  return needs_job_manager("take another");
}

Result<std::string> SingleJobControl::savepoint(const std::string& /*job_id*/, const SavepointRequest& /*request*/) {
  return needs_job_manager("take savepoints");
}

Result<std::string> SingleJobControl::rescale(const std::string& /*job_id*/, uint32_t /*parallelism*/) {
  return needs_job_manager("change the parallelism");
}

Result<std::string> SingleJobControl::upgrade(const std::string& /*job_id*/, PlannedJob /*job*/,
                                              bool /*allow_dropped_state*/) {
  return needs_job_manager("replace its file");
}

std::optional<OperationView> SingleJobControl::operation(const std::string& /*job_id*/,
                                                         const std::string& trigger_id) const {
  const std::lock_guard lock(mutex_);
  const auto found = asked_.find(trigger_id);
  if (found == asked_.end()) return std::nullopt;
  const JobView view = job_.view();
  OperationView out;
  out.trigger_id = trigger_id;
  out.kind = found->second.kind;
  out.done = is_terminal(view.state) ||
             (out.kind == OperationKind::kCheckpoint && view.checkpoints_completed > found->second.completed_before);
  if (out.done && view.state == JobState::kFailed) out.failure = view.failure;
  return out;
}

}  // namespace millrace
