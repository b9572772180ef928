// One subtask of a chain: a source or an input gate, the chain's operators, and the outputs. A worker steps it; step()
// never waits. Checkpoints: a source injects the barrier between two polls, a gate delivers it aligned; the task
// collects the parts of all stages, sends the barrier on and hands the parts to TaskEvents once the barrier has left. A
// task that is told to overtake takes its snapshot as soon as its chain is idle, and the rows that the barrier passes,
// in its input channels and in its outboxes, become a part of it. A task that reached its end stays and takes part in
// checkpoints until the job ends.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/metrics.h"
#include "runtime/chain_driver.h"
#include "runtime/exchange.h"
#include "runtime/input_gate.h"
#include "runtime/source_task.h"
#include "state/task_store.h"

namespace millrace {

/// What a task reports; called on its worker's thread, must not wait.
class TaskEvents {
 public:
  virtual ~TaskEvents() = default;
  virtual void running() = 0;
  virtual void snapshot_taken(int64_t checkpoint_id, bool finished, std::vector<SnapshotPartPtr> parts) = 0;
  virtual void finished() = 0;
  virtual void failed(const std::string& step, const Error& error) = 0;
};

struct TaskMetrics {
  MetricPtr busy_seconds;
  MetricPtr idle_seconds;
  MetricPtr blocked_seconds;
  MetricPtr queue_usage;
  MetricPtr alignment_seconds;
};

/// Everything a task is made of; stages are opened on the worker, in flow order.
struct TaskParts {
  struct StageContext {
    OperatorContext op;
    SinkContext sink;
    std::shared_ptr<SinkEvents> sink_events;
  };
  std::unique_ptr<SourceTask> source;  // or gate
  std::unique_ptr<InputGate> gate;
  std::unique_ptr<TaskStore> store;  // of the operators' state; null: it stays in memory
  std::vector<Stage> stages;
  std::vector<StageContext> contexts;  // one per stage
  OutputRouter outputs;
  const RestoredState* restored = nullptr;
  InFlightEdges edges;  // into the gate and out of the outputs
  std::vector<uint32_t> in_edges;
  TaskId id;
  uint32_t parallelism = 1;
  std::shared_ptr<const void> keep;  // what the contexts point to
  TaskMetrics metrics;
};

struct TaskStep {
  bool progressed = false;
  bool blocked = false;
};

class Task {
 public:
  Task(TaskParts parts, Clock& clock, std::unique_ptr<TaskEvents> events);

  /// Opens (restores) on the first call. After a failure it was reported and the task does nothing any more.
  TaskStep step(int64_t deadline_ns);
  /// When step() should be tried again though nothing woke the worker.
  [[nodiscard]] int64_t next_wakeup_ms() const;

  /// Sources inject the barrier; other tasks get it through their channels.
  void trigger_checkpoint(int64_t checkpoint_id, bool final);
  /// The barrier of a checkpoint that was triggered before overtakes what it has not reached yet.
  void overtake(int64_t checkpoint_id) { overtake_ = std::max(overtake_, checkpoint_id); }
  void checkpoint_completed(int64_t checkpoint_id);
  /// Ignored when the task does not run the tap's node.
  void add_tap(const TapPtr& tap);
  /// A source acts as if its input had ended.
  void end_input();
  void hold_source(bool hold);
  [[nodiscard]] bool failed() const { return failed_; }

 private:
  Status open();
  Result<TaskStep> try_step(int64_t deadline_ns, int64_t now_ms);
  Result<bool> pull(int64_t now_ms);
  Result<bool> pull_source(int64_t now_ms);
  Result<bool> pull_gate();
  /// A barrier or idleness, once no operator holds rows back any more.
  void defer(ElementKind kind, int64_t value, bool final);
  Status settle();
  Status barrier(int64_t checkpoint_id, bool final);
  Status restore_in_flight();
  [[nodiscard]] bool overtakes() const;
  /// Towards the snapshot of overtake_. REQUIRES: the chain is idle.
  Status overtake_now();
  /// Hands the snapshot over when everything that belongs to it is there.
  void finish_snapshot();
  void end();
  void fail(const Error& error);
  void account(const TaskStep& step, int64_t begin_ns);

  TaskParts parts_;
  Clock& clock_;
  std::unique_ptr<TaskEvents> events_;
  ChainDriver driver_;
  std::vector<uint32_t> nodes_;  // of the chain
  GateEvent event_;
  struct Trigger {
    int64_t id = 0;
    bool final = false;
  };
  std::deque<Trigger> triggers_;
  struct Deferred {
    ElementKind kind = ElementKind::kBarrier;
    int64_t value = 0;
    bool final = false;
  };
  std::optional<Deferred> deferred_;
  /// Taken, but what belongs to it is still arriving, or its barrier has not left.
  struct OpenSnapshot {
    int64_t checkpoint_id = 0;
    bool finished = false;
    std::vector<SnapshotPartPtr> parts;
    std::vector<ChannelRows> rows;  // before the outputs
  };
  std::optional<OpenSnapshot> open_snapshot_;
  int64_t overtake_ = 0;  // this checkpoint's barrier need not wait
  int64_t taken_ = 0;     // the last checkpoint whose snapshot was taken
  int64_t final_checkpoint_ = 0;
  bool opened_ = false;
  bool failed_ = false;
  bool ended_ = false;
  bool stopped_ = false;  // behind the final barrier
  bool was_blocked_ = false;
  int64_t last_step_ns_ = 0;
  int64_t alignment_began_ns_ = 0;
};

}  // namespace millrace
