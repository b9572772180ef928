#include "runtime/operators/window/count_operator.h"

#include <algorithm>
#include <numeric>

#include "runtime/operators/keyed_rows.h"
#include "runtime/operators/window/progress.h"
#include "runtime/operators/window/window_rows.h"

namespace millrace {

namespace {

class CountOperator final : public Operator {
 public:
  CountOperator(std::shared_ptr<const WindowConfig> config, std::shared_ptr<AggregateRow> aggregates,
                std::unique_ptr<WindowOutput> output)
      : size_(config->spec.count_size),
        slide_(config->spec.count_slide),
        pane_(std::gcd(size_, slide_)),
        aggregates_(aggregates),
        counts_(sizeof(int64_t), 0),
        panes_(aggregates->bytes(), sizeof(int64_t)),
        rows_(config, aggregates, std::move(output)) {}

  Status open(const OperatorContext& context) override {
    context_ = context;
    count_state_ = context.state("count");
    pane_state_ = context.state("window");
    progress_state_ = context.state("window_progress", StateKind::kSplit);
    rows_.open(context);
    MR_TRY(counts_.back(count_state_, context, count_codec()));
    MR_TRY(panes_.back(pane_state_, context, pane_codec()));
    if (context.restored == nullptr) return {};
    return restore_progress(progress_state_, context, watermark_, rows_.arrival());
  }

  Result<Flow> process(uint32_t /*input*/, Batch& batch, Output& out) override {
    if (!started_) {
      MR_TRY(rows_.start(batch, watermark_));
      MR_TRY(fetch());
      started_ = true;
      next_row_ = 0;
    }
    while (next_row_ < rows_.rows().size() && !rows_.full()) MR_TRY(take_row(batch, next_row_++));
    rows_.flush(batch, panes_.blobs());
    rows_.emit_fired(out);
    if (next_row_ < rows_.rows().size()) return Flow::kMoreOutput;
    rows_.finish_batch();
    started_ = false;
    if (context_.metrics.state_keys) context_.metrics.state_keys->set(static_cast<double>(counts_.rows()));
    if (context_.metrics.state_bytes) {
      context_.metrics.state_bytes->set(static_cast<double>(counts_.bytes() + panes_.bytes()));
    }
    return Flow::kNeedInput;
  }

  Result<Flow> advance(int64_t watermark, Output& /*out*/) override {
    watermark_ = watermark;
    return Flow::kNeedInput;
  }

  Result<std::vector<SnapshotPartPtr>> snapshot() override {
    std::vector<SnapshotPartPtr> parts;
    parts.push_back(counts_.snapshot(count_state_, context_.max_parallelism, count_codec().save));
    parts.push_back(panes_.snapshot(pane_state_, context_.max_parallelism, pane_codec().save));
    parts.push_back(snapshot_progress(progress_state_, context_.subtask, watermark_, rows_.arrival()));
    return parts;
  }

 private:
  static int64_t& count_of(char* row) { return *reinterpret_cast<int64_t*>(row); }

  static KeyedRows::Codec count_codec() {
    return {.save = [](const char* row, ByteWriter& out) { out.put(*reinterpret_cast<const int64_t*>(row)); },
            .load = [](char* row, ByteReader& in) -> Status {
              count_of(row) = in.get<int64_t>();
              return {};
            },
            .drop = [](char*) {}};
  }
  [[nodiscard]] KeyedRows::Codec pane_codec() {
    return {.save = [aggregates = aggregates_](const char* row, ByteWriter& out) { aggregates->save(row, out); },
            .load =
                [this](char* row, ByteReader& in) {
                  aggregates_->init(row);
                  return aggregates_->load(in, row, panes_.blobs());
                },
            .drop = [this](char* row) { aggregates_->drop(row, panes_.blobs()); }};
  }

  /// Brings the counters of the batch and the panes they are in into memory.
  Status fetch() {
    MR_TRY(counts_.fetch(rows_.keys().keys));
    if (!panes_.spilled()) return {};
    std::vector<std::string> names;
    for (size_t i = 0; i < rows_.rows().size(); ++i) {
      char* counter = counts_.table().find(rows_.hash(i), rows_.key(i));
      if (counter != nullptr) names.push_back(pane_name(count_of(counter) / pane_, rows_.key(i)));
    }
    return panes_.fetch(std::vector<std::string_view>(names.begin(), names.end()));
  }

  static std::string pane_name(int64_t pane, std::string_view key) {
    return std::string(reinterpret_cast<const char*>(&pane), sizeof pane).append(key);
  }

  /// The row of pane number `pane` of a key; nullptr when absent.
  Result<char*> pane_row(int64_t pane, std::string_view key) {
    const std::string name = pane_name(pane, key);
    return panes_.find(hash64(name), name);
  }
  Result<char*> make_pane(int64_t pane, std::string_view key) {
    const std::string name = pane_name(pane, key);
    bool inserted = false;
    MR_ASSIGN(char* row, panes_.insert(hash64(name), name, &inserted));
    if (inserted) aggregates_->init(row);
    return row;
  }

  Status take_row(const Batch& batch, size_t i) {
    bool inserted = false;
    char* counter = counts_.insert_fetched(rows_.hash(i), rows_.key(i), &inserted);
    const int64_t number = ++count_of(counter);  // from 1
    // With slide > size the first rows of each slide are in no window.
    if ((number - 1) % slide_ >= slide_ - size_) {
      MR_ASSIGN(char* pane, make_pane((number - 1) / pane_, rows_.key(i)));
      rows_.add(i, pane);
    }
    if (number % slide_ != 0) return {};
    rows_.flush(batch, panes_.blobs());
    return fire(batch, i, number);
  }

  Status fire(const Batch& batch, size_t i, int64_t number) {
    const int64_t last = number / pane_;  // exclusive
    const int64_t first = std::max<int64_t>(0, last - size_ / pane_);
    const int64_t time = (*batch.event_times)[rows_.rows()[i]];
    const WindowBounds bounds{0, time + 1};
    if (last - first == 1) {
      MR_ASSIGN(const char* pane, pane_row(first, rows_.key(i)));
      MR_TRY(rows_.fire(rows_.key(i), pane, bounds, watermark_));
    } else {
      BlobPool blobs;
      std::vector<char> sum(aggregates_->bytes() + 16);
      void* start = sum.data();
      size_t space = sum.size();
      char* total = static_cast<char*>(std::align(16, aggregates_->bytes(), start, space));
      aggregates_->init(total);
      for (int64_t pane = first; pane < last; ++pane) {
        MR_ASSIGN(const char* part, pane_row(pane, rows_.key(i)));
        if (part != nullptr) aggregates_->merge(total, part, blobs);
      }
      MR_TRY(rows_.fire(rows_.key(i), total, bounds, watermark_));
    }
    // What the next firing does not look at goes.
    const int64_t keep_from = std::max<int64_t>(0, (number + slide_ - size_) / pane_);
    for (int64_t pane = first; pane < std::min(keep_from, last); ++pane) {
      MR_ASSIGN(char* row, pane_row(pane, rows_.key(i)));
      if (row == nullptr) continue;
      aggregates_->drop(row, panes_.blobs());
      panes_.erase(row);
    }
    // A key without panes starts anew and needs no counter.
    if (keep_from >= last && number % std::lcm(size_, slide_) == 0) {
      counts_.erase(counts_.table().find(rows_.hash(i), rows_.key(i)));
    }
    return {};
  }

  int64_t size_;
  int64_t slide_;
  int64_t pane_;
  std::shared_ptr<AggregateRow> aggregates_;
  KeyedRows counts_;
  KeyedRows panes_;
  WindowRows rows_;
  StateDescriptor count_state_;
  StateDescriptor pane_state_;
  StateDescriptor progress_state_;
  OperatorContext context_;
  int64_t watermark_ = kWatermarkMin;
  bool started_ = false;
  size_t next_row_ = 0;
};

}  // namespace

Result<OperatorPtr> make_count_operator(std::shared_ptr<const WindowConfig> config, const Node& node) {
  MR_ASSIGN(auto aggregates, AggregateRow::make(config->calls));
  MR_ASSIGN(auto output, WindowOutput::make(config, aggregates, node));
  return std::make_unique<CountOperator>(std::move(config), std::move(aggregates), std::move(output));
}

}  // namespace millrace
