// A sink connector: one writer per subtask. at_least_once: rows go out at once; snapshot()'s part waits for their
// acknowledgement on the snapshot thread, and a failure there fails the task. Single-threaded otherwise.
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
#include "runtime/spi/flow.h"
#include "runtime/spi/operator.h"
#include "state/protocol/commit_decision.h"
#include "state/snapshot.h"

namespace millrace {

/// What a sink that publishes epochs after their checkpoint reports; any thread.
class SinkEvents {
 public:
  virtual ~SinkEvents() = default;
  /// Everything that the restored state held is published.
  virtual void restored_settled() = 0;
  /// Everything up to this epoch is published.
  virtual void epoch_settled(int64_t epoch) = 0;
  /// Output cannot be published; ends the attempt, and the job when the error is permanent.
  virtual void failed(const Error& error) = 0;
};

struct SinkContext {
  std::string sink;  // id in the job file, used as StateDescriptor::step
  std::string job_name;
  std::string job_id;
  uint32_t subtask = 0;
  uint32_t parallelism = 1;
  Clock* clock = nullptr;
  Waker* waker = nullptr;
  const RestoredState* restored = nullptr;
  MetricRegistry* metrics = nullptr;
  Labels labels;
  // For sinks that publish epochs after their checkpoint.
  LaneOwner owner;
  LaneRules rules;
  std::string job_directory;
  int64_t restored_checkpoint = 0;
  int64_t retained_checkpoints = 3;
  SinkEvents* events = nullptr;
};

class SinkWriter {
 public:
  virtual ~SinkWriter() = default;
  virtual Status open(SinkContext& context) = 0;
  /// kNeedInput: taken; kBlocked: nothing of the batch was taken, offer it again after the waker fired. Refused rows of
  /// a sink with `on_error: dead_letter` are emitted to port 0 of `dead_letters` (schema: dead_letter_schema of the
  /// plan).
  virtual Result<Flow> write(const Batch& batch, Output& dead_letters) = 0;
  virtual Result<std::vector<SnapshotPartPtr>> snapshot() { return std::vector<SnapshotPartPtr>{}; }
  /// What the task calls at the barrier of a checkpoint.
  virtual Result<std::vector<SnapshotPartPtr>> snapshot_at(int64_t checkpoint_id) {
    (void)checkpoint_id;
    return snapshot();
  }
  virtual Status checkpoint_completed(int64_t checkpoint_id) {
    (void)checkpoint_id;
    return {};
  }
  /// All input has been written and the last checkpoint has completed.
  virtual Status close() { return {}; }
};
using SinkWriterPtr = std::unique_ptr<SinkWriter>;

}  // namespace millrace
