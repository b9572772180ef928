// One attempt of a job on this task manager: its deployment, its snapshot thread, and the reports that carry its
// attempt.
#pragma once

#include <memory>
#include <string>

#include "taskmanager/snapshot_thread.h"
#include "taskmanager/task_manager.h"

namespace millrace {

class RunningJob final : public DeploymentEvents {
 public:
  /// Plans the file, opens the state to restore and starts the tasks.
  static Result<std::unique_ptr<RunningJob>> start(const TaskManagerConfig& config, const DeployJob& deploy,
                                                   JobManagerLink& job_manager);
  ~RunningJob() override;

  [[nodiscard]] int64_t attempt() const { return attempt_; }
  void trigger_checkpoint(const TriggerCheckpoint& message);
  void overtake_checkpoint(const OvertakeCheckpoint& message);
  void checkpoint_completed(const CheckpointCompleted& message);
  void checkpoint_aborted(const CheckpointAborted& message);
  void end_input();
  void hold_sources(bool hold);
  void tap(const TapStep& message);

  // DeploymentEvents, on worker threads.
  void running(TaskId task) override;
  void snapshot_taken(TaskId task, int64_t checkpoint_id, bool finished, std::vector<SnapshotPartPtr> parts) override;
  void finished(TaskId task) override;
  void failed(TaskId task, const std::string& step, const Error& error) override;
  void sink_restored_settled(TaskId task, const std::string& sink) override;
  void sink_epoch_settled(TaskId task, const std::string& sink, int64_t epoch) override;

 private:
  RunningJob(const DeployJob& deploy, JobManagerLink& job_manager)
      : job_id_(deploy.job_id), attempt_(deploy.attempt), job_manager_(job_manager) {}
  Status join_network(const TaskManagerConfig& config, const DeployJob& message, DeploymentConfig& deployment);
  Status deploy(const TaskManagerConfig& config, const DeployJob& message);
  void snapshot_written(const SnapshotThread::Work& work, const Result<SnapshotHandle>& result);

  std::string job_id_;
  int64_t attempt_;
  JobManagerLink& job_manager_;
  // Tasks end before the thread that writes their snapshots, and that before the state they were restored from.
  std::unique_ptr<SharedUploads> uploads_;
  std::unique_ptr<SnapshotThread> snapshots_;
  std::unique_ptr<Deployment> deployment_;
};

}  // namespace millrace
