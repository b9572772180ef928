// The life of one job: owns its directory, deploys attempts, drives checkpoints by the pure decisions of
// state/protocol, restarts after failures, ends it. Handles one event at a time, called by one thread
// (jobmanager/job_thread.h), with time, disk, randomness and transport injected, so that a test drives it with a manual
// clock and a fake task manager.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
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
#include "jobmanager/slot_pool.h"
#include "jobmanager/submit_options.h"
#include "plan/physical_plan.h"
#include "rpc/transport.h"
#include "state/checkpoint_store.h"
#include "state/protocol/coordinator.h"

namespace millrace {

struct JobMasterConfig {
  std::shared_ptr<const JobGraph> graph;
  std::string spec_yaml;        // resolved: plans to `graph` again
  std::string checkpoint_root;  // holds one directory per job
  SubmitOptions options;
  bool brought_back = false;  // by a job manager that started
  Clock* clock = nullptr;
  FileSystem* fs = nullptr;
  Random* random = nullptr;
  MetricRegistry* metrics = nullptr;  // may be null
  SlotPool* slots = nullptr;
  /// Between opening the job's directory and the first deployment; may be empty.
  std::function<Status(const JobView&)> on_opened;
  /// Plans another version of the job file; may be empty.
  std::function<Result<std::shared_ptr<const JobGraph>>(const std::string& spec)> plan;
  /// The job file changed for good (rescaled, upgraded); may be empty.
  std::function<void(const std::string& spec)> on_new_spec;
  /// Copies a checkpoint elsewhere and calls savepoint_written() later. Empty: copied at once, on the job's thread.
  std::function<void(const std::string& trigger_id, std::function<Status()> copy)> copy_aside;
};

/// What stop and savepoint are told.
struct SavepointOrder {
  std::string trigger_id;  // names the operation in the view
  std::string target;      // the savepoint's own directory; "": none, the checkpoint itself is the answer
};
struct StopOrder {
  SavepointOrder savepoint;  // without trigger id: nobody asks for the outcome
  bool drain = false;
};
/// Another job file for the running job.
struct ReplaceOrder {
  std::string trigger_id;
  OperationKind kind = OperationKind::kRescale;
  std::shared_ptr<const JobGraph> graph;
  std::string spec_yaml;
  bool allow_dropped_state = false;
  bool no_way_back = false;  // the old file is not wanted any more, whatever becomes of the new one
};

class JobMaster {
 public:
  explicit JobMaster(JobMasterConfig config);
  ~JobMaster();

  /// Takes the job's directory, decides which state to use and deploys. An error: nothing was started.
  Status start();

  // Events.
  void handle(const ToJobManager& message, const std::string& task_manager = "local");
  void task_manager_lost(const std::string& task_manager, const std::string& reason);
  /// There may be slots for a job that waits.
  void slots_changed();
  /// Does what is due: triggers, time-outs, restarts.
  void on_time();
  /// Final checkpoint, then the end; the state is kept for the next run.
  void request_stop(const StopOrder& order = {});
  /// Ends without a checkpoint; the state is kept when `resumable`, else the next run starts afresh. Unless `now`, the
  /// output of completed checkpoints is published first.
  void request_cancel(bool resumable, bool now = true);
  void request_checkpoint(const std::string& trigger_id = {});
  void request_savepoint(const SavepointOrder& order);
  /// A checkpoint, then the new file from it; the old one again when it fails before its first checkpoint.
  void request_replacement(ReplaceOrder order);
  /// Nothing when the job does not run now.
  void request_tap(const std::string& tap_id, const std::string& step, uint32_t rows, int64_t for_ms);
  /// Takes effect at once and holds through restarts, until another file takes the job's place.
  /// Answers all of them.
  Result<CheckpointChanges> change_checkpoint_settings(const CheckpointChanges& changes);
  void savepoint_written(const std::string& trigger_id, const Status& status);

  /// When on_time() should be called at the latest; INT64_MAX: after the next event only.
  [[nodiscard]] int64_t next_deadline_ms() const;
  [[nodiscard]] JobState state() const { return view_.state; }
  [[nodiscard]] std::shared_ptr<const JobGraph> graph() const { return config_.graph; }
  [[nodiscard]] const JobView& view() const { return view_; }

 private:
  Status deploy();
  DeployJob deployment(std::optional<CheckpointMetadata> restored) const;
  void deploy_or_fail();
  void start_failed(const Error& error);
  void restart_in(int64_t delay_ms, RestartCause cause);
  void trigger_if_due();
  /// Sinks that have not published the last checkpoint's output are told again.
  void notify_again();
  void trigger(bool final);
  void overtake_if_due();
  void complete(int64_t checkpoint_id);
  void remove_subsumed(const std::vector<int64_t>& subsumed);
  void drop_checkpoint(const AbortDecision& decision);
  void fail(JobFailure failure, bool permanent);
  void fail(const Error& error);
  void restart_or_give_up();
  bool is_working_copy(const TaskFailed& message);
  void end_when_settled();
  void cancel_attempt();
  void attempt_ended();
  void end(JobState state, JobStatus status);
  void change(JobState to);
  void send(ToTaskManager message);

  // Operations.
  void attach_waiting(int64_t checkpoint_id);
  void finish_attached(int64_t checkpoint_id);
  void fail_attached(int64_t checkpoint_id, const JobFailure& failure);
  void copy_savepoint(int64_t checkpoint_id, const SavepointOrder& order);
  void begin_replacement();
  Status check_replacement(const ReplaceOrder& order);
  /// False: the state is beyond its limit, and the job fails for it.
  bool measure_state(int64_t checkpoint_id);
  void measure_each_state(int64_t checkpoint_id);
  void hold_sources(bool hold);
  Status begin_with_former_file(const std::optional<JobRecord>& former);
  void take_settings_of_file();
  [[nodiscard]] bool can_take_over_rows(const JobGraph& graph) const;
  void take_back_replacement();
  void replacement_holds();
  void end_operations();

  static constexpr int64_t kNotifyAgainMs = 10'000;

  void on(const TaskRunning& message);
  void on(const SnapshotTaken& message);
  void on(const SnapshotFailed& message);
  void on(const TaskFinished& message);
  void on(const TaskFailed& message);
  void on(const RestoredSettled& message);
  void on(const EpochSettled& message);
  void on(const TapRows& /*message*/) {}  // the dispatcher keeps them
  void on(const JobCancelled& message);

  /// A request that waits for a checkpoint triggered after it.
  struct Waiting {
    SavepointOrder order;
    int64_t checkpoint_id = 0;  // 0: not triggered yet
  };
  struct Replacement {
    ReplaceOrder order;
    int64_t checkpoint_id = 0;
    bool tried = false;  // the new file runs; `order` holds the old one
  };
  struct Copy {
    int64_t checkpoint_id = 0;
    std::string target;
  };

  JobMasterConfig config_;
  std::vector<TaskId> tasks_;
  CheckpointSettings settings_;  // of the file, with what was changed since
  std::unique_ptr<CheckpointStore> store_;
  std::optional<CheckpointCoordinator> coordinator_;
  SinkProgress sinks_;
  RestartPolicy restart_policy_;
  JobMetrics metrics_;
  StateGrowth growth_;
  int64_t measured_ms_ = INT64_MIN;  // when each state was
  bool over_limit_told_ = false;
  bool sources_held_ = false;
  JobView view_;
  SlotAllocation allocation_;
  std::set<std::string> members_;     // task managers of the attempt that are still there
  std::set<std::string> cancelling_;  // of them, those that were told to end it
  std::string answering_;             // whose message is being handled
  bool member_lost_ = false;          // one of the attempt's
  bool waits_for_slots_ = false;
  std::vector<Waiting> waiting_;
  std::map<std::string, Copy> copies_;  // being written, by trigger id
  std::vector<int64_t> removable_;      // subsumed, but still being copied
  std::optional<Replacement> replacement_;
  StopOrder stop_;
  int64_t triggered_ms_ = 0;
  int64_t notify_at_ms_ = INT64_MAX;
  int64_t restart_at_ms_ = INT64_MAX;
  bool final_in_flight_ = false;
  bool stop_requested_ = false;
  bool stop_copied_ = false;
  bool permanent_failure_ = false;
  bool verify_restore_ = false;  // a task met damaged state, and no checkpoint was completed since
  bool took_back_ = false;
  bool resumable_cancel_ = false;
  bool cancel_when_settled_ = false;
};

}  // namespace millrace
