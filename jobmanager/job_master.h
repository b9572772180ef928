// The life of one job: owns its directory, deploys attempts, drives checkpoints by the pure decisions of
// state/protocol, restarts after failures, ends it. Handles one event at a time, called by one thread
// (jobmanager/job_thread.h), with time, disk, randomness and transport injected, so that a test drives it with a manual
// clock and a fake task manager.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/file_system.h"
#include "core/metrics.h"
#include "core/random.h"
#include "jobmanager/job_metrics.h"
#include "jobmanager/job_view.h"
#include "jobmanager/restart_policy.h"
#include "jobmanager/sink_progress.h"
#include "plan/physical_plan.h"
#include "rpc/transport.h"
#include "state/checkpoint_store.h"
#include "state/protocol/coordinator.h"

namespace millrace {

struct JobMasterConfig {
  std::shared_ptr<const JobGraph> graph;
  std::string spec_yaml;        // resolved: plans to `graph` again
  std::string checkpoint_root;  // holds one directory per job
  StartRequest start;
  bool until_done = false;
  bool allow_dropped_state = false;
  bool republish = false;
  bool accept_lost_progress = false;
  Clock* clock = nullptr;
  FileSystem* fs = nullptr;
  Random* random = nullptr;
  MetricRegistry* metrics = nullptr;  // may be null
  TaskManagerLink* task_manager = nullptr;
};

class JobMaster {
 public:
  explicit JobMaster(JobMasterConfig config);
  ~JobMaster();

  /// Takes the job's directory, decides which state to use and deploys. An error: nothing was started.
  Status start();

  // Events.
  void handle(const ToJobManager& message);
  /// Does what is due: triggers, time-outs, restarts.
  void on_time();
  /// Final checkpoint, then the end; the state is kept for the next run.
  void request_stop();
  /// Ends without a checkpoint; the state is kept when `resumable`, else the next run starts afresh.
  void request_cancel(bool resumable);
  void request_checkpoint();

  /// When on_time() should be called at the latest; INT64_MAX: after the next event only.
  [[nodiscard]] int64_t next_deadline_ms() const;
  [[nodiscard]] JobState state() const { return view_.state; }
  [[nodiscard]] const JobView& view() const { return view_; }

 private:
  Status deploy();
  void trigger_if_due();
  /// Sinks that have not published the last checkpoint's output are told again.
  void notify_again();
  void trigger(bool final);
  void complete(int64_t checkpoint_id);
  void drop_checkpoint(const AbortDecision& decision);
  void fail(JobFailure failure, bool permanent);
  void fail(const Error& error);
  void restart_or_give_up();
  void end_when_settled();
  void attempt_ended();
  void end(JobState state, JobStatus status);
  void change(JobState to);

  void on(const TaskRunning& message);
  void on(const SnapshotTaken& message);
  void on(const SnapshotFailed& message);
  void on(const TaskFinished& message);
  void on(const TaskFailed& message);
  void on(const RestoredSettled& message);
  void on(const EpochSettled& message);
  void on(const JobCancelled& message);

  JobMasterConfig config_;
  std::vector<TaskId> tasks_;
  std::unique_ptr<CheckpointStore> store_;
  std::optional<CheckpointCoordinator> coordinator_;
  SinkProgress sinks_;
  RestartPolicy restart_policy_;
  JobMetrics metrics_;
  JobView view_;
  int64_t triggered_ms_ = 0;
  int64_t notify_at_ms_ = INT64_MAX;
  int64_t restart_at_ms_ = INT64_MAX;
  bool final_in_flight_ = false;
  bool stop_requested_ = false;
  bool permanent_failure_ = false;
  bool resumable_cancel_ = false;
};

}  // namespace millrace
