// Runs the operators of one chain as a small explicit stack, under the rules of runtime/spi/operator.h: the deepest
// stage with work goes first, a stage is called again with the same argument until it answers kNeedInput, and nothing
// is called while the outputs of the task are full. A stage therefore never holds more than one batch and one
// watermark. One worker thread; no locks.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/histogram.h"
#include "core/metrics.h"
#include "core/status.h"
#include "runtime/exchange.h"
#include "runtime/spi/operator.h"
#include "runtime/spi/sink.h"
#include "runtime/tap.h"

namespace millrace {

/// One node of the chain. A source stage has neither operator nor sink: its rows enter through emit_from_source().
struct Stage {
  uint32_t node = 0;
  std::string step;
  OperatorPtr op;
  SinkWriterPtr sink;
  int32_t chained_port = -1;  // the output port that feeds the next stage
  MetricPtr records_in;       // null in tests
  MetricPtr records_out;
  MetricPtr watermark;
  HistogramPtr latency;  // of a sink: age of the rows that it has taken
};

class ChainDriver {
 public:
  ChainDriver(OutputRouter& outputs, Clock& clock);
  ~ChainDriver();

  /// Stages in flow order, all before the first call.
  void add(Stage stage);

  // Input. REQUIRES: idle().
  void push_batch(uint32_t input, Batch batch);
  void push_watermark(int64_t watermark);
  /// Starts the processing-time timers that are due.
  void push_timers(int64_t now_ms);
  /// Lets the first stage that holds rows back send them; false: none does. Before every barrier and idleness.
  bool push_release();
  /// Rows of the source stage; one batch per port before the next resume().
  Output& source_output();

  [[nodiscard]] bool idle() const { return busy_stages_ == 0; }
  [[nodiscard]] int64_t next_timer_ms() const;
  /// When a blocked chain should be resumed though nothing woke it.
  [[nodiscard]] int64_t retry_at_ms() const;

  /// Works until nothing is left (kNeedInput), a stage or the outputs are blocked (kBlocked), or `deadline_ns` of the
  /// monotonic clock has passed (kMoreOutput). With `overflow_bytes` it goes on although the outputs are full, until so
  /// much waits before them.
  Result<Flow> resume(int64_t deadline_ns, size_t overflow_bytes = 0);

  /// Barrier, idle, active or end to every edge of the chain. REQUIRES: idle().
  void broadcast(ElementKind kind, int64_t value, bool final = false);
  /// Parts of all stages. REQUIRES: idle().
  Result<std::vector<SnapshotPartPtr>> snapshot(int64_t checkpoint_id = 0);
  Status checkpoint_completed(int64_t checkpoint_id);
  Status close();
  /// Calls of operators so far, to tell progress from waiting.
  [[nodiscard]] uint64_t calls() const { return calls_; }
  /// Shows what leaves one of the chain's nodes, until the tap has had enough.
  void add_tap(TapPtr tap) { taps_.push_back(std::move(tap)); }
  /// The step that the last error came from.
  [[nodiscard]] const std::string& failed_step() const { return failed_step_; }

 private:
  class StageOutput;
  struct Frame;
  Status run(uint32_t index);
  Result<Flow> call(Frame& frame);
  Result<Flow> write(Frame& frame);
  void observe_latency(Frame& frame) const;
  void deliver(uint32_t index, uint32_t port, Batch batch);
  void offer_taps(uint32_t node, const Batch& batch);
  void forward_watermark(uint32_t index, int64_t watermark);
  void update_busy(Frame& frame);
  Error fail(const Frame& frame, Error error);

  OutputRouter& outputs_;
  Clock& clock_;
  std::vector<std::unique_ptr<Frame>> frames_;
  std::vector<TapPtr> taps_;
  uint32_t busy_stages_ = 0;
  int64_t now_ms_ = 0;
  uint64_t calls_ = 0;
  bool blocked_ = false;
  std::string failed_step_;
};

}  // namespace millrace
