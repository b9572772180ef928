#include "cli/row_limit.h"

#include <algorithm>

namespace millrace {

namespace {

class LimitedWriter final : public SinkWriter {
 public:
  LimitedWriter(RowLimit& limit, SinkWriterPtr writer) : limit_(limit), writer_(std::move(writer)) {}
  Status open(SinkContext& context) override { return writer_->open(context); }
  Result<Flow> write(const Batch& batch, Output& dead_letters) override {
    bool last = false;
    const auto wanted = static_cast<int64_t>(batch.selected());
    const int64_t granted = limit_.take(wanted, last);
    if (granted == 0) return Flow::kNeedInput;
    Batch part = batch;
    if (granted < wanted) {
      auto rows = std::make_shared<std::vector<uint32_t>>();
      for (uint32_t i = 0; i < granted; ++i) rows->push_back(batch.row_at(i));
      part.selection = std::move(rows);
    }
    MR_ASSIGN(const Flow flow, writer_->write(part, dead_letters));
    if (last) limit_.reached();
    return flow;
  }
  Result<std::vector<SnapshotPartPtr>> snapshot() override { return writer_->snapshot(); }
  Status checkpoint_completed(int64_t checkpoint_id) override { return writer_->checkpoint_completed(checkpoint_id); }
  Status close() override { return writer_->close(); }

 private:
  RowLimit& limit_;
  SinkWriterPtr writer_;
};

}  // namespace

SinkWriterPtr RowLimit::wrap(const Node& node, SinkWriterPtr writer) {
  if (node.sink->connector != "print") return writer;
  return std::make_unique<LimitedWriter>(*this, std::move(writer));
}

int64_t RowLimit::take(int64_t wanted, bool& last) {
  const int64_t before = left_.fetch_sub(wanted, std::memory_order_relaxed);
  const int64_t granted = std::clamp<int64_t>(before, 0, wanted);
  last = granted > 0 && before <= wanted;
  return granted;
}

}  // namespace millrace
