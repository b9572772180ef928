#include "runtime/operators/row_output.h"

#include <utility>

#include "data/row_codec.h"

namespace millrace {

RowOutput::RowOutput(SchemaPtr schema, size_t extra_columns)
    : schema_(std::move(schema)), extra_columns_(extra_columns) {
  reset();
}

void RowOutput::reset() {
  columns_.clear();
  for (const Field& field : schema_->fields) columns_.push_back(make_column(*field.type));
  for (size_t i = 0; i < extra_columns_; ++i) columns_.push_back(std::make_shared<Column>(PhysicalType::kInt64));
  arena_ = std::make_shared<Arena>();
  times_.clear();
  kinds_.clear();
  updates_ = false;
}

Status RowOutput::add(std::string_view bytes, int64_t event_time, RowKind kind, std::initializer_list<int64_t> extra) {
  const std::span<const std::shared_ptr<Column>> all(columns_);
  if (!decode_row(bytes, all.first(schema_->size()), *arena_)) {
    return make_error(ErrorCode::kCorruptState, "a kept row cannot be read");
  }
  size_t column = schema_->size();
  for (const int64_t value : extra) {
    Column& target = *columns_[column++];
    target.resize(rows() + 1);
    target.values<int64_t>()[rows()] = value;
  }
  times_.push_back(event_time);
  kinds_.push_back(static_cast<uint8_t>(kind));
  updates_ = updates_ || kind != RowKind::kInsert;
  return {};
}

void RowOutput::flush(Output& out, uint32_t port) {
  if (times_.empty()) return;
  Batch batch;
  batch.rows = rows();
  batch.columns.assign(columns_.begin(), columns_.end());
  batch.arenas.push_back(arena_);
  batch.event_times = std::make_shared<const std::vector<int64_t>>(std::move(times_));
  if (updates_) batch.kinds = std::make_shared<const std::vector<uint8_t>>(std::move(kinds_));
  reset();
  out.emit(port, std::move(batch));
}

}  // namespace millrace
