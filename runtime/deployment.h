// The tasks of one attempt of a job in this process: readers, operators and writers made by the registry's factories,
// channels between them, and one worker per slot; slot i runs subtask i of every chain. Slots of other members are left
// out; edges that lead there end in channels of RemoteChannels. Threads start with start(); tests step the workers by
// hand instead.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/metrics.h"
#include "plan/job_graph.h"
#include "plan/physical_plan.h"
#include "runtime/remote_channels.h"
#include "runtime/source_alignment.h"
#include "runtime/spi/factories.h"
#include "runtime/worker.h"
#include "state/protocol/commit_decision.h"
#include "state/protocol/task_snapshot.h"
#include "state/state_resources.h"

namespace millrace {

/// What the tasks report; called on worker threads, must not wait.
class DeploymentEvents {
 public:
  virtual ~DeploymentEvents() = default;
  virtual void running(TaskId task) = 0;
  virtual void snapshot_taken(TaskId task, int64_t checkpoint_id, bool finished,
                              std::vector<SnapshotPartPtr> parts) = 0;
  virtual void finished(TaskId task) = 0;
  virtual void failed(TaskId task, const std::string& step, const Error& error) = 0;
  // Sinks that publish epochs, on threads of theirs.
  virtual void sink_restored_settled(TaskId /*task*/, const std::string& /*sink*/) {}
  virtual void sink_epoch_settled(TaskId /*task*/, const std::string& /*sink*/, int64_t /*epoch*/) {}
};

/// Which member of an attempt runs which slot.
struct Placement {
  uint32_t member = 0;          // this one
  std::vector<uint32_t> slots;  // member of each slot; empty: all of them run here
  [[nodiscard]] uint32_t owner(uint32_t slot) const { return slots.empty() ? member : slots[slot]; }
  [[nodiscard]] bool here(uint32_t slot) const { return owner(slot) == member; }
};

struct DeploymentConfig {
  std::shared_ptr<const JobGraph> graph;
  const Registry* registry = nullptr;
  std::string job_id;
  bool until_done = false;
  Clock* clock = nullptr;
  MetricRegistry* metrics = nullptr;              // may be null
  std::shared_ptr<const RestoredState> restored;  // null on a fresh start
  DeploymentEvents* events = nullptr;             // outlives the deployment
  std::shared_ptr<StateResources> state;          // where keyed state goes that leaves memory; null: it stays
  // For sinks that publish epochs after their checkpoint.
  LaneOwner owner;
  LaneRules lane_rules;
  std::string job_directory;
  int64_t restored_checkpoint = 0;
  Placement placement;
  std::shared_ptr<RemoteChannels> remote;         // REQUIRED when the placement names other members
  size_t channel_bytes = Channel::kDefaultBytes;  // of a channel within this process
  std::shared_ptr<SourceAlignment> alignment;     // of sources with max_drift; made by the deployment
  /// Replaces the writer of a sink (row limits, capturing tests); may be empty.
  std::function<SinkWriterPtr(const Node&, SinkWriterPtr)> wrap_sink;
};

class Deployment {
 public:
  static Result<std::unique_ptr<Deployment>> make(DeploymentConfig config);
  ~Deployment();

  void start();
  void trigger_checkpoint(int64_t checkpoint_id, bool final);
  /// Lets the barriers of a checkpoint that was triggered before overtake rows; not of a final one.
  void overtake(int64_t checkpoint_id);
  void checkpoint_completed(int64_t checkpoint_id);
  /// Sources act as if their input had ended: everything drains, and the tasks finish.
  void end_input();
  /// Sources read nothing more until they are told to go on.
  void hold_sources(bool hold);
  /// Shows up to `rows` rows that leave the step, of each of its subtasks here, within `for_ms`; called on worker
  /// threads. Nothing for a step that is not there or emits nothing: the job manager refuses those.
  void tap(const std::string& step, uint32_t rows, int64_t for_ms,
           const std::function<void(std::vector<std::string>)>& take);
  /// Ends all workers behind the commands given before, and waits for them.
  void stop();

  /// Steps every worker once on this thread; true when something moved.
  bool run_once();
  [[nodiscard]] int64_t next_wakeup_ms() const;
  /// Those that run here.
  [[nodiscard]] const std::vector<TaskId>& tasks() const { return task_ids_; }

 private:
  explicit Deployment(DeploymentConfig config) : config_(std::move(config)) {}

  DeploymentConfig config_;
  std::vector<TaskId> task_ids_;
  std::vector<std::unique_ptr<Channel>> channels_;
  std::vector<std::unique_ptr<Worker>> workers_;  // of the slots that run here

  friend class DeploymentBuilder;
};

}  // namespace millrace
