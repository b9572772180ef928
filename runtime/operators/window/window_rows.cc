#include "runtime/operators/window/window_rows.h"

namespace millrace {

void WindowRows::open(const OperatorContext& context) {
  clock_ = context.clock;
  output_->open(context);
}

void WindowRows::evaluate_gaps(const Batch& batch, int64_t watermark) {
  std::vector<ColumnPtr> columns;
  gap_evaluator_->evaluate(batch, rows_, columns, std::make_shared<Arena>(), failed_,
                           {.now_ms = now_ms_, .watermark = watermark});
  gap_ = columns[0];
  for (uint32_t row : rows_) {
    if (gap_->is_null(row) || gap_->values<int64_t>()[row] <= 0)
      failed_.add(row, "the gap of a session must be positive");
  }
}

Status WindowRows::start(const Batch& batch, int64_t watermark) {
  now_ms_ = clock_ != nullptr ? clock_->wall_ms() : 0;
  selected_rows(batch, rows_);
  aggregates_->prepare(batch, rows_, failed_, {.now_ms = now_ms_, .watermark = watermark});
  if (gap_evaluator_) evaluate_gaps(batch, watermark);
  MR_TRY(output_->errors().handle(batch, *config_->input, failed_, rows_));
  Batch keyed = batch;
  if (rows_.size() < batch.selected()) keyed.selection = std::make_shared<const std::vector<uint32_t>>(rows_);
  encode_keys(keyed, *config_->input, config_->keys, keys_);
  return {};
}

void WindowRows::finish_batch() { arrival_ += rows_.size(); }

void WindowRows::flush(const Batch& batch, BlobPool& blobs) {
  if (pending_rows_.empty()) return;
  aggregates_->update(batch, pending_rows_, pending_states_, blobs, arrival_, pending_positions_.data());
  pending_rows_.clear();
  pending_positions_.clear();
  pending_states_.clear();
}

Status WindowRows::fire(std::string_view key, const char* state, WindowBounds bounds, int64_t watermark) {
  MR_ASSIGN(const Batch result, output_->build({&key, 1}, {&state, 1}, {&bounds, 1}, watermark));
  static constexpr uint32_t kOnlyRow = 0;
  if (!result.empty()) fired_.append(result, &kOnlyRow, 1);
  return {};
}

void WindowRows::emit_fired(Output& out) {
  output_->errors().flush(out);
  if (fired_.rows() > 0) out.emit(0, fired_.finish());
}

}  // namespace millrace
