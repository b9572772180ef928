// Reads the Kafka partitions that belong to one subtask, kept together by event time: the partition that is furthest
// behind is read first, and one that is more than `align_ms` ahead of it waits in its queue. Partitions that drift
// apart keep more windows and sessions open; measured, that costs more than any tuning of the state gains. One thread
// (the worker's); everything that waits is done by KafkaControl.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "connectors/kafka/client.h"
#include "connectors/kafka/control.h"
#include "connectors/kafka/options.h"
#include "runtime/spi/source.h"

namespace millrace {

/// The form of SplitState::state: the next offset, and behind a slash the offset where a bounded split ends.
struct KafkaSplitPosition {
  int64_t next = 0;
  int64_t stop = -1;
  [[nodiscard]] std::string to_string() const;
  static std::optional<KafkaSplitPosition> parse(std::string_view text);
};

using KafkaConsumerFactory =
    std::function<Result<KafkaConsumerClientPtr>(const KafkaSettings&, Waker*, KafkaTroubleCallback)>;

class KafkaSourceReader final : public SourceReader {
 public:
  KafkaSourceReader(SourceConfig config, KafkaConsumerFactory factory);
  ~KafkaSourceReader() override;

  Status open(SourceContext& context) override;
  Result<PollResult> poll(uint32_t max_rows, SourceChunk& chunk) override;
  [[nodiscard]] uint32_t split_count() const override { return static_cast<uint32_t>(splits_.size()); }
  [[nodiscard]] bool splits_known() const override { return discovered_; }
  [[nodiscard]] std::string split_id(uint32_t split) const override { return splits_[split].partition.to_string(); }
  [[nodiscard]] std::string split_state(uint32_t split) const override { return splits_[split].position.to_string(); }
  [[nodiscard]] bool split_at_end(uint32_t split) const override { return splits_[split].at_end; }
  [[nodiscard]] bool split_finished(uint32_t split) const override { return splits_[split].finished; }
  void split_progress(uint32_t split, int64_t event_time_max) override;
  bool hold_above(int64_t event_time) override {
    hold_above_ = event_time;
    return true;
  }
  [[nodiscard]] int64_t next_poll_ms() const override { return next_poll_ms_; }
  void checkpoint_completed(int64_t checkpoint_id, const std::vector<SplitState>& states) override;

 private:
  struct Split {
    KafkaPartition partition;
    KafkaSplitPosition position;
    uint32_t lane = 0;
    bool at_end = false;
    bool finished = false;
    bool lost = false;  // waits for the range of the log
    bool stop_known = true;
    int64_t progress = INT64_MIN;
    uint64_t last_read = 0;
    int bell_rounds = 0;
    MetricPtr offset;
    MetricPtr lag;
    MetricPtr committed;
  };

  Status take_restored(const SourceContext& context, KafkaKnown& known);
  Status add_split(const KafkaPartition& partition, KafkaSplitPosition position);
  Status take_news();
  Status apply_start(const KafkaSplitStart& start);
  Status recover_lost(const KafkaLostRange& answer);
  Result<bool> read_any(uint32_t max_rows, RecordBatch& out, uint32_t& split);
  Result<bool> read_split(Split& split, uint32_t max_rows, RecordBatch& out);
  void cut_at_stop(Split& split, RecordBatch& out) const;
  void ring_if_starving(Split& split, size_t queued_before, const RecordBatch& out);
  void measure();
  [[nodiscard]] bool all_finished() const;

  const SourceConfig config_;
  const KafkaConsumerFactory factory_;

  KafkaSourceOptions options_;
  SourceContext context_;  // without the restored splits
  size_t queue_records_max_ = 0;
  bool bounded_ = false;
  bool discovered_ = false;
  std::vector<Split> splits_;
  std::vector<uint32_t> order_;  // split numbers, furthest behind first
  uint64_t reads_ = 0;
  int64_t hold_above_ = INT64_MAX;  // max_drift
  int64_t held_since_ns_ = -1;      // data waits only in splits that are ahead
  int64_t next_poll_ms_ = INT64_MAX;
  int64_t next_measure_ns_ = 0;
  std::atomic<uint64_t> troubles_{0};
  MetricPtr trouble_metric_;
  KafkaConsumerClientPtr client_;
  std::unique_ptr<KafkaControl> control_;  // ends before the client
};

}  // namespace millrace
