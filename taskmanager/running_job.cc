#include "taskmanager/running_job.h"

#include "plan/planner.h"
#include "runtime/state_rows/migrated_state.h"
#include "state/checkpoint_store.h"
#include "state/in_flight_state.h"
#include "state/snapshot_file.h"
#include "taskmanager/network/data_network.h"

namespace millrace {

namespace {

/// The job manager wrote the attempt's record before it deployed: a task manager that does not see it would write its
/// snapshots where nobody finds them.
Status check_storage(FileSystem& fs, const DeployJob& message) {
  if (message.job_directory.empty()) return {};
  MR_ASSIGN(const bool seen, fs.contains(job_record_path(message.job_directory, message.attempt)));
  if (seen) return {};
  return make_error(ErrorCode::kMissingState,
                    "this task manager does not see the job's directory " + message.job_directory,
                    "mount the same directory under the same path on every machine, or change checkpoint.dir");
}

/// The same plan as the job manager made before it deployed: nothing is refused here that it let pass.
Result<std::shared_ptr<const RestoredState>> restored_state(const TaskManagerConfig& config, const DeployJob& message,
                                                            const JobGraph& graph) {
  MR_ASSIGN(auto snapshots, RestoredSnapshots::open(*config.fs, message.job_directory, message.restore,
                                                    graph.settings.max_parallelism));
  if (message.restore_verified) MR_TRY(snapshots->verify());
  MR_TRY(check_rows_in_flight(snapshots->states(), graph));
  StatePlan plan =
      plan_state({graph.settings.max_parallelism, snapshots->states(), !snapshots->stores().empty()}, graph);
  MR_TRY(check_state_plan(plan, message.allow_dropped_state));
  return migrated_state(std::move(snapshots), std::move(plan), config.registry->plan.functions);
}

}  // namespace

Result<std::unique_ptr<RunningJob>> RunningJob::start(const TaskManagerConfig& config, const DeployJob& deploy,
                                                      JobManagerLink& job_manager) {
  std::unique_ptr<RunningJob> job(new RunningJob(deploy, job_manager));
  MR_TRY(job->deploy(config, deploy));
  return job;
}

RunningJob::~RunningJob() {
  if (deployment_) deployment_->stop();
  snapshots_.reset();
}

Status RunningJob::deploy(const TaskManagerConfig& config, const DeployJob& message) {
  MR_TRY(check_storage(*config.fs, message));
  DeploymentConfig deployment;
  MR_ASSIGN(deployment.graph, plan_again(message.spec_yaml, config.registry->plan, config.environment));
  const uint32_t max_parallelism = deployment.graph->settings.max_parallelism;
  deployment.registry = config.registry;
  deployment.job_id = message.job_id;
  deployment.until_done = message.until_done;
  deployment.owner = {message.attempt, message.incarnation};
  deployment.lane_rules = {message.republish, message.accept_lost_progress};
  deployment.job_directory = message.job_directory;
  deployment.restored_checkpoint = message.restore_checkpoint;
  deployment.clock = config.clock;
  deployment.metrics = config.metrics;
  deployment.events = this;
  deployment.wrap_sink = config.wrap_sink;
  deployment.state = config.state;
  uploads_ = std::make_unique<SharedUploads>(*config.fs, local_file_system(), message.job_directory);
  if (message.restore_checkpoint != 0) {
    uploads_->restored(message.restore);
    MR_ASSIGN(deployment.restored, restored_state(config, message, *deployment.graph));
  }
  snapshots_ = std::make_unique<SnapshotThread>(
      SnapshotThread::Target{config.fs, message.job_directory, message.attempt, max_parallelism, uploads_.get()},
      [this](const SnapshotThread::Work& work, const Result<SnapshotHandle>& result) {
        snapshot_written(work, result);
      });
  MR_TRY(join_network(config, message, deployment));
  MR_ASSIGN(deployment_, Deployment::make(std::move(deployment)));
  deployment_->start();
  return {};
}

Status RunningJob::join_network(const TaskManagerConfig& config, const DeployJob& message,
                                DeploymentConfig& deployment) {
  deployment.placement = {message.member, message.slots};
  for (const uint32_t owner : message.slots) {
    if (owner >= message.members.size()) return make_error(ErrorCode::kBadMessage, "a slot belongs to no member");
  }
  if (message.members.size() < 2) return {};
  if (config.network == nullptr) {
    return make_error(ErrorCode::kInternal, "this task manager has no data port, and the job has several members");
  }
  NetworkJob job{.job_id = message.job_id,
                 .attempt = message.attempt,
                 .members = message.members,
                 .self = message.member,
                 .failed = [this](const Error& error) { failed({}, "", error); }};
  MR_ASSIGN(deployment.remote, config.network->join(std::move(job)));
  return {};
}

void RunningJob::trigger_checkpoint(const TriggerCheckpoint& message) {
  deployment_->trigger_checkpoint(message.checkpoint_id, message.final);
}

void RunningJob::overtake_checkpoint(const OvertakeCheckpoint& message) {
  deployment_->overtake(message.checkpoint_id);
}

void RunningJob::checkpoint_completed(const CheckpointCompleted& message) {
  uploads_->checkpoint_completed(message.checkpoint_id);
  deployment_->checkpoint_completed(message.checkpoint_id);
}

void RunningJob::checkpoint_aborted(const CheckpointAborted& message) { snapshots_->abort(message.checkpoint_id); }

void RunningJob::end_input() { deployment_->end_input(); }

void RunningJob::hold_sources(bool hold) { deployment_->hold_sources(hold); }

void RunningJob::tap(const TapStep& message) {
  const auto take = [this, id = message.tap_id](std::vector<std::string> rows) {
    job_manager_.send(TapRows{job_id_, attempt_, id, std::move(rows)});
  };
  deployment_->tap(message.step, message.rows, message.for_ms, take);
}

void RunningJob::running(TaskId task) { job_manager_.send(TaskRunning{job_id_, attempt_, task}); }

void RunningJob::snapshot_taken(TaskId task, int64_t checkpoint_id, bool finished, std::vector<SnapshotPartPtr> parts) {
  snapshots_->add({task, checkpoint_id, finished, std::move(parts)});
}

void RunningJob::snapshot_written(const SnapshotThread::Work& work, const Result<SnapshotHandle>& result) {
  if (result) {
    job_manager_.send(SnapshotTaken{job_id_, attempt_, work.checkpoint_id, *result, work.finished});
    return;
  }
  const Error& error = result.error();
  job_manager_.send(
      SnapshotFailed{job_id_, attempt_, work.checkpoint_id, work.task, std::string(error.info().code), error.message});
}

void RunningJob::finished(TaskId task) { job_manager_.send(TaskFinished{job_id_, attempt_, task}); }

void RunningJob::sink_restored_settled(TaskId task, const std::string& sink) {
  job_manager_.send(RestoredSettled{job_id_, attempt_, task, sink});
}

void RunningJob::sink_epoch_settled(TaskId task, const std::string& sink, int64_t epoch) {
  job_manager_.send(EpochSettled{job_id_, attempt_, task, sink, epoch});
}

void RunningJob::failed(TaskId task, const std::string& step, const Error& error) {
  job_manager_.send(
      TaskFailed{job_id_, attempt_, task, step, std::string(error.info().code), error.message, error.help});
}

}  // namespace millrace
