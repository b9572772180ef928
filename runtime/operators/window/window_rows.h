// What the window operators that look at rows one by one share: the arguments of a batch are evaluated and its keys
// encoded at once, updates are collected and applied in one go, results of single firings are collected into one batch.
// One per operator; belongs to the task's thread.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "data/key_format.h"
#include "runtime/operators/window/output.h"

namespace millrace {

class WindowRows {
 public:
  WindowRows(std::shared_ptr<const WindowConfig> config, std::shared_ptr<AggregateRow> aggregates,
             std::unique_ptr<WindowOutput> output, std::unique_ptr<Evaluator> gap = nullptr)
      : config_(std::move(config)),
        aggregates_(std::move(aggregates)),
        output_(std::move(output)),
        gap_evaluator_(std::move(gap)),
        fired_(config_->output) {}

  void open(const OperatorContext& context);
  /// Evaluates, drops failed rows, encodes keys. rows() are what is left.
  Status start(const Batch& batch, int64_t watermark);
  void finish_batch();

  [[nodiscard]] const std::vector<uint32_t>& rows() const { return rows_; }
  [[nodiscard]] std::string_view key(size_t i) const { return keys_.keys[i]; }
  [[nodiscard]] uint64_t hash(size_t i) const { return keys_.hashes[i]; }
  [[nodiscard]] const EncodedKeys& keys() const { return keys_; }
  [[nodiscard]] int64_t now_ms() const { return now_ms_; }
  /// The session gap of a physical row.
  [[nodiscard]] int64_t gap(uint32_t row) const { return gap_ ? gap_->values<int64_t>()[row] : config_->spec.gap_ms; }

  /// Row i belongs to `state`; applied at the next flush(), before anybody reads or merges states.
  void add(size_t i, char* state) {
    pending_rows_.push_back(rows_[i]);
    pending_positions_.push_back(static_cast<uint32_t>(i));
    pending_states_.push_back(state);
  }
  void flush(const Batch& batch, BlobPool& blobs);

  /// One result, collected; emit_fired() sends them as one batch.
  Status fire(std::string_view key, const char* state, WindowBounds bounds, int64_t watermark);
  [[nodiscard]] bool full() const { return fired_.rows() >= kBatchRowsMax; }
  void emit_fired(Output& out);
  WindowOutput& output() { return *output_; }
  uint64_t& arrival() { return arrival_; }

 private:
  void evaluate_gaps(const Batch& batch, int64_t watermark);

  std::shared_ptr<const WindowConfig> config_;
  std::shared_ptr<AggregateRow> aggregates_;
  std::unique_ptr<WindowOutput> output_;
  std::unique_ptr<Evaluator> gap_evaluator_;  // null: the same gap for all rows
  ColumnPtr gap_;
  BatchBuilder fired_;
  Clock* clock_ = nullptr;
  int64_t now_ms_ = 0;
  uint64_t arrival_ = 0;
  RowErrors failed_;
  EncodedKeys keys_;
  std::vector<uint32_t> rows_;
  std::vector<uint32_t> pending_rows_;
  std::vector<uint32_t> pending_positions_;
  std::vector<char*> pending_states_;
};

}  // namespace millrace
