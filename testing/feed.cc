#include "testing/feed.h"

#include <charconv>

namespace millrace {
namespace {

class FeedReader final : public SourceReader {
 public:
  explicit FeedReader(std::shared_ptr<const Feed> feed) : feed_(std::move(feed)) {}

  Status open(SourceContext& context) override {
    owned_ = context.subtask == 0;
    for (const SplitState& split : context.splits) {
      std::from_chars(split.state.data(), split.state.data() + split.state.size(), next_);
    }
    return {};
  }

  Result<PollResult> poll(uint32_t /*max_rows*/, SourceChunk& chunk) override {
    if (!owned_) return PollResult::kEnd;
    if (next_ >= feed_->entries.size()) return PollResult::kNothing;
    const FeedEntry& entry = feed_->entries[next_];
    if (entry.kind == FeedEntry::Kind::kEnd) return PollResult::kEnd;
    chunk.split = 0;
    if (entry.kind == FeedEntry::Kind::kWatermark) {
      chunk.watermark = entry.watermark;
      ++next_;
      return PollResult::kWatermark;
    }
    RecordBatch records;
    records.topic = "test";
    records.arena = std::make_shared<Arena>(entry.text.size() + 128);
    Record record;
    record.value = records.arena->copy(entry.text);
    record.has_value = entry.kind == FeedEntry::Kind::kRecord;
    record.offset = static_cast<int64_t>(next_);
    record.line = record.offset + 1;
    records.records.push_back(record);
    chunk.payload = std::move(records);
    ++next_;
    return PollResult::kData;
  }

  [[nodiscard]] uint32_t split_count() const override { return owned_ ? 1 : 0; }
  [[nodiscard]] std::string split_id(uint32_t /*split*/) const override { return "feed"; }
  [[nodiscard]] std::string split_state(uint32_t /*split*/) const override { return std::to_string(next_); }
  [[nodiscard]] bool split_at_end(uint32_t /*split*/) const override { return next_ >= feed_->entries.size(); }
  [[nodiscard]] bool split_finished(uint32_t /*split*/) const override {
    return next_ < feed_->entries.size() && feed_->entries[next_].kind == FeedEntry::Kind::kEnd;
  }

 private:
  std::shared_ptr<const Feed> feed_;
  size_t next_ = 0;
  bool owned_ = false;
};

}  // namespace

SourceReaderPtr make_feed_reader(std::shared_ptr<const Feed> feed) {
  return std::make_unique<FeedReader>(std::move(feed));
}

}  // namespace millrace
