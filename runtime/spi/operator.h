// An operator: resumable, single-threaded, called by the driver of its chain only. It emits at most one batch per port
// and call, holds no lock, never waits inside a library and never calls its successor.
//
// Order of calls: open (restores state), then for every input batch process() again and again until kNeedInput; for
// every watermark advance() until kNeedInput; at a barrier snapshot(). Between two kMoreOutput answers of one call
// nothing else is called, so an operator may keep a cursor. A watermark is passed on by the driver after advance()
// answered kNeedInput, lowered by hold_back().
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/metrics.h"
#include "core/status.h"
#include "core/waker.h"
#include "data/batch.h"
#include "data/key_format.h"
#include "runtime/spi/flow.h"
#include "state/snapshot.h"

namespace millrace {

class TaskStore;

/// Where emitted batches go. Port 0 is the main output; further ports in the order of the plan's Node::outputs.
class Output {
 public:
  virtual ~Output() = default;
  /// Empty batches are dropped.
  virtual void emit(uint32_t port, Batch batch) = 0;
};

/// Counters of one subtask of a step; one writer.
struct StepMetrics {
  MetricPtr late_records;
  MetricPtr errors;
  MetricPtr dead_letter_records;
  MetricPtr no_window;
  MetricPtr state_keys;
  MetricPtr state_bytes;
};

struct OperatorContext {
  std::string step;  // step id, used as StateDescriptor::step
  uint32_t subtask = 0;
  uint32_t parallelism = 1;
  uint32_t max_parallelism = kDefaultMaxParallelism;
  KeyGroupRange key_groups{0, kDefaultMaxParallelism};
  Clock* clock = nullptr;
  Waker* waker = nullptr;                            // notify() after kBlocked
  const RestoredState* restored = nullptr;           // null on a fresh start
  TaskStore* store = nullptr;                        // where keyed state goes that leaves memory; null: nowhere
  StepMetrics metrics;                               // members may be null in tests
  const std::vector<StateSchema>* states = nullptr;  // what bind() described; null in tests

  /// The descriptor of one of the step's states. REQUIRES: bind() described it.
  [[nodiscard]] StateDescriptor state(std::string_view name, StateKind kind = StateKind::kKeyed) const;
};

class Operator {
 public:
  virtual ~Operator() = default;
  virtual Status open(const OperatorContext& context) = 0;
  /// `input` counts the inputs of the step. The batch may be consumed (moved from) only with the call that answers
  /// kNeedInput.
  virtual Result<Flow> process(uint32_t input, Batch& batch, Output& out) = 0;
  /// The minimum over all inputs has risen to `watermark` (kWatermarkMax: end of input).
  virtual Result<Flow> advance(int64_t watermark, Output& out) {
    (void)watermark;
    (void)out;
    return Flow::kNeedInput;
  }
  /// Processing time: called when the wall clock has reached next_timer_ms() (INT64_MAX: none).
  [[nodiscard]] virtual int64_t next_timer_ms() const { return INT64_MAX; }
  virtual Result<Flow> on_timer(int64_t now_ms, Output& out) {
    (void)now_ms;
    (void)out;
    return Flow::kNeedInput;
  }
  /// After kBlocked: the wall time at which to call again though nobody notified the waker (INT64_MAX: only then).
  [[nodiscard]] virtual int64_t retry_at_ms() const { return INT64_MAX; }
  /// The watermark that may be passed on when the input's is `watermark`: lower when rows still to come may be older.
  [[nodiscard]] virtual int64_t hold_back(int64_t watermark) const { return watermark; }
  /// Rows that are held only to send fewer of them: release() sends them. The driver asks before a barrier and before
  /// the input turns idle.
  [[nodiscard]] virtual bool holds_rows() const { return false; }
  virtual Result<Flow> release(Output& out) {
    (void)out;
    return Flow::kNeedInput;
  }
  /// Parts of this step's snapshot; none for a stateless operator.
  virtual Result<std::vector<SnapshotPartPtr>> snapshot() { return std::vector<SnapshotPartPtr>{}; }
  /// After the checkpoint completed (runs on the worker).
  virtual Status checkpoint_completed(int64_t checkpoint_id) {
    (void)checkpoint_id;
    return {};
  }
};
using OperatorPtr = std::unique_ptr<Operator>;

}  // namespace millrace
