// The source half of a task: polls its reader, makes rows, routes bad records, keeps watermarks per split and positions
// in state. next() does one small thing and says what; the task around it forwards watermarks and injects barriers. On
// restore the saved watermark is announced before the first row. One worker thread; never waits.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/clock.h"
#include "runtime/source_alignment.h"
#include "runtime/source_rows.h"
#include "runtime/spi/operator.h"
#include "runtime/spi/source.h"
#include "runtime/split_watermarks.h"

namespace millrace {

struct SourceTaskConfig {
  std::string step;
  std::shared_ptr<const SourceConfig> source;
  SchemaPtr schema;
  int32_t dead_letter_port = -1;
  int32_t ahead_port = -1;
  uint32_t batch_rows = kBatchRowsMax;
  std::shared_ptr<SourceAlignment> alignment;  // null without `max_drift`
  size_t alignment_member = 0;
  SourceContext context;
};

struct SourceMetrics {
  MetricPtr records;
  MetricPtr bytes;
  MetricPtr bad;
  MetricPtr dead_letters;
  MetricPtr skipped;
  MetricPtr ahead;
  MetricPtr held_splits;
};

enum class SourceEvent : uint8_t {
  kNothing,    // nothing now; next_wakeup_ms() or the waker tells when
  kProgress,   // something was read; rows, if any, went to the output
  kWatermark,  // value() has risen
  kIdle,
  kActive,
  kEnd,  // comes once, behind a watermark of kWatermarkMax
};

class SourceTask {
 public:
  SourceTask(SourceTaskConfig config, SourceReaderPtr reader, DecoderPtr decoder, SourceMetrics metrics);

  /// Takes the restored positions and opens the reader.
  Status open(const RestoredState* restored);
  /// REQUIRES: everything emitted before has been taken by the chain.
  Result<SourceEvent> next(int64_t now_ms, Output& out);
  /// The task could not go on because of its outputs: the time until the next call does not count towards idleness.
  void blocked(int64_t now_ms) { account(now_ms, true); }
  [[nodiscard]] int64_t watermark() const { return announced_; }
  [[nodiscard]] bool ended() const { return ended_; }
  [[nodiscard]] int64_t next_wakeup_ms() const;

  SnapshotPartPtr snapshot(int64_t checkpoint_id);
  void checkpoint_completed(int64_t checkpoint_id);
  /// From now on the source acts as if its input had ended.
  void end_input() { reader_ended_ = true; }
  /// While it holds nothing is read: the state is larger than its limit.
  void hold(bool held) { held_ = held; }

 private:
  Status load(const RestoredState& restored);
  void add_new_splits();
  Result<SourceEvent> poll(int64_t now_ms, Output& out);
  Status emit(SourceChunk& chunk, int64_t now_ms, Output& out);
  Status handle_bad(const RecordBatch* records, int64_t now_ms, Output& out);
  bool held_by_others(int64_t now_ms);
  [[nodiscard]] bool all_idle() const { return reader_->splits_known() && watermarks_.all_idle(); }
  bool watermark_due(int64_t now_ms);
  void look_for_idle();
  void account(int64_t now_ms, bool blocked);
  uint32_t rows_allowed(int64_t now_ms);
  void report_splits(int64_t now_ms);

  /// What `doctor` reads of a split; dropped when the split is finished.
  struct SplitGauges {
    MetricPtr watermark;
    MetricPtr idle;
    MetricPtr at_end;
  };

  SourceTaskConfig config_;
  SourceReaderPtr reader_;
  SourceMetrics metrics_;
  SourceRowMaker maker_;
  SplitWatermarks watermarks_;
  std::map<std::string, SplitWatermarks::Saved> restored_;
  SourceChunk chunk_;
  SourceRows rows_;
  std::map<int64_t, std::vector<SplitState>> at_barrier_;
  std::map<uint32_t, SplitGauges> split_gauges_;
  int64_t reported_ms_ = INT64_MIN;
  bool has_watermarks_ = false;
  bool reader_ended_ = false;
  bool held_ = false;
  bool ended_ = false;
  bool idle_ = false;
  bool rows_since_watermark_ = false;
  int64_t announced_ = kWatermarkMin;
  int64_t last_emit_ms_ = INT64_MIN;
  // Unblocked time, which alone counts towards idleness.
  int64_t active_ms_ = 0;
  int64_t looked_at_ms_ = -1;
  int64_t last_seen_ms_ = -1;
  bool was_blocked_ = false;
  int64_t look_again_ms_ = INT64_MAX;  // splits wait because of max_drift
  // rate_limit: a bucket that holds a tenth of a second.
  double rate_ = 0;
  double tokens_ = 0;
  int64_t tokens_at_ms_ = -1;
};

}  // namespace millrace
