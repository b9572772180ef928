// Where a task's rows go: an OutputRouter per task knows the edges of every (node, port) of its chain. emit() always
// takes the batch into a small outbox; the driver calls nothing that emits while drain() answers false, so an outbox
// holds what one call produced. Hash edges scatter rows into one builder per target and flush by rows, bytes or
// buffer_timeout, and always before a watermark, barrier or end. When a barrier overtakes, an outbox may for once hold
// more, and what it holds is part of the snapshot. One worker thread.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "core/metrics.h"
#include "data/batch.h"
#include "data/key_format.h"
#include "plan/job_graph.h"
#include "runtime/in_flight.h"

namespace millrace {

/// One physical edge as seen by one producer subtask.
struct EdgeConfig {
  uint32_t node = 0;  // producing node, in numbers of the job graph
  uint32_t port = 0;
  Partitioning partitioning = Partitioning::kForward;
  std::vector<uint32_t> key_columns{};
  SchemaPtr schema{};
  uint32_t max_parallelism = kDefaultMaxParallelism;
  int64_t buffer_timeout_ms = 5;
  uint32_t edge = 0;                  // number in the physical plan
  uint32_t subtask = 0;               // of the producer
  std::vector<uint32_t> consumers{};  // subtask of each target; empty: target t is subtask t
  uint32_t flush_rows = kBatchRowsMax;
  size_t flush_bytes = 256 * 1024;
};

/// The consumer subtasks that producer `subtask` feeds: forward edges between unequal parallelisms keep a row order per
/// target (subtask i feeds i mod m), everything but forward and global feeds all.
std::vector<uint32_t> edge_targets(Partitioning partitioning, uint32_t producers, uint32_t subtask, uint32_t consumers);

class EdgeOutput {
 public:
  /// targets[t] belongs to the t-th number of edge_targets(); for kHash target t is consumer subtask t.
  EdgeOutput(EdgeConfig config, std::vector<ChannelOutput*> targets);

  [[nodiscard]] const EdgeConfig& config() const { return config_; }
  void emit(const Batch& batch, int64_t now_ms);
  /// To all targets, behind the rows so far.
  void broadcast(ElementKind kind, int64_t value, bool final);
  /// Builders whose oldest row waits since buffer_timeout.
  void flush_due(int64_t now_ms);
  [[nodiscard]] int64_t next_flush_ms() const {
    return oldest_ms_ == INT64_MAX ? INT64_MAX : oldest_ms_ + config_.buffer_timeout_ms;
  }
  /// Moves outboxes into channels; false while something is left.
  bool drain();
  /// Lets the barrier, already broadcast, pass what is in the outboxes: those elements are added to `rows`, and follow.
  void overtake(int64_t checkpoint, std::vector<ChannelRows>& rows);
  /// The barrier has not left all outboxes.
  [[nodiscard]] bool holds_barrier(int64_t checkpoint) const;
  [[nodiscard]] size_t outbox_bytes() const;
  [[nodiscard]] uint64_t sent() const { return sent_; }
  [[nodiscard]] double usage() const;

 private:
  struct Target {
    ChannelOutput* channel = nullptr;
    std::deque<Element> outbox;
    std::unique_ptr<BatchBuilder> builder;
    std::vector<uint32_t> rows;  // scratch of scatter
    ChannelStatus status;        // as the consumer will see it behind what has left the outbox
  };
  void scatter(const Batch& batch, int64_t now_ms);
  Batch compacted(const Batch& batch);
  void send(Target& target, Batch batch);
  void flush(Target& target);
  void flush_all();

  EdgeConfig config_;
  std::vector<Target> targets_;
  std::vector<uint32_t> target_of_group_;
  EncodedKeys keys_;
  std::unique_ptr<BatchBuilder> compactor_;
  uint32_t next_target_ = 0;
  int64_t oldest_ms_ = INT64_MAX;
  bool drained_ = true;
  uint64_t sent_ = 0;
};

class OutputRouter {
 public:
  void add(std::unique_ptr<EdgeOutput> edge) { edges_.push_back(std::move(edge)); }
  /// To every edge of the port. True when there was one.
  bool emit(uint32_t node, uint32_t port, const Batch& batch, int64_t now_ms);
  [[nodiscard]] bool has_edge(uint32_t node, uint32_t port) const;
  /// To every edge of every port of the node.
  void broadcast(uint32_t node, ElementKind kind, int64_t value, bool final = false);
  void flush_due(int64_t now_ms);
  [[nodiscard]] int64_t next_flush_ms() const;
  bool drain();
  void overtake(int64_t checkpoint, std::vector<ChannelRows>& rows);
  [[nodiscard]] bool holds_barrier(int64_t checkpoint) const;
  [[nodiscard]] size_t outbox_bytes() const;
  [[nodiscard]] bool empty() const { return edges_.empty(); }
  /// Elements put into channels so far.
  [[nodiscard]] uint64_t sent() const;
  [[nodiscard]] double usage() const;

 private:
  std::vector<std::unique_ptr<EdgeOutput>> edges_;
};

}  // namespace millrace
