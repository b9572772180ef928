#include "data/batch.h"

#include <utility>

namespace millrace {
namespace {

size_t column_bytes(const Column& column) {
  size_t bytes = column.size() * (physical_width(column.type()) + (column.has_nulls() ? 1 : 0)) +
                 column.offsets().size() * sizeof(uint32_t);
  for (const ColumnPtr& child : column.children()) bytes += column_bytes(*child);
  return bytes;
}

/// The selected rows as an explicit list; null when every row is selected.
const uint32_t* selected_rows(const Batch& batch) { return batch.selection ? batch.selection->data() : nullptr; }

}  // namespace

size_t Batch::bytes() const {
  size_t bytes = event_times ? event_times->size() * sizeof(int64_t) : 0;
  for (const ColumnPtr& column : columns) {
    if (column) bytes += column_bytes(*column);
  }
  for (const auto& arena : arenas) bytes += arena->bytes();
  return bytes;
}

BatchBuilder::BatchBuilder(SchemaPtr schema) : schema_(std::move(schema)) { reset(); }

void BatchBuilder::reset() {
  rows_ = 0;
  columns_.clear();
  for (const Field& field : schema_->fields) columns_.push_back(make_column(*field.type));
  event_times_ = std::make_shared<std::vector<int64_t>>();
  kinds_.reset();
  arena_ = std::make_shared<Arena>();
}

void BatchBuilder::append(const Batch& from, const uint32_t* rows, uint32_t count) {
  for (size_t i = 0; i < columns_.size(); ++i) {
    if (from.columns[i]) append_rows(*from.columns[i], rows, count, *columns_[i], arena_.get());
  }
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t row = rows == nullptr ? i : rows[i];
    event_times_->push_back((*from.event_times)[row]);
  }
  if (from.kinds || kinds_) {
    if (!kinds_) kinds_ = std::make_shared<std::vector<uint8_t>>(rows_, uint8_t{0});
    for (uint32_t i = 0; i < count; ++i) {
      kinds_->push_back(static_cast<uint8_t>(from.kind(rows == nullptr ? i : rows[i])));
    }
  }
  rows_ += count;
}

size_t BatchBuilder::bytes() const {
  size_t bytes = arena_->bytes() + event_times_->size() * sizeof(int64_t);
  for (const auto& column : columns_) bytes += column_bytes(*column);
  return bytes;
}

Batch BatchBuilder::finish() {
  Batch batch;
  batch.rows = rows_;
  for (auto& column : columns_) {
    const bool present = column->size() == rows_;  // an unused column was absent from every appended batch
    batch.columns.push_back(present ? ColumnPtr(std::move(column)) : nullptr);
  }
  batch.event_times = event_times_;
  batch.kinds = kinds_;
  batch.arenas.push_back(arena_);
  reset();
  return batch;
}

Batch compact(const Batch& batch, const Schema& schema) {
  BatchBuilder builder(std::make_shared<Schema>(schema));
  builder.append(batch, selected_rows(batch), batch.selected());
  return builder.finish();
}

Batch gather(const Batch& batch, const Schema& schema, std::span<const uint32_t> rows) {
  Batch out;
  out.rows = static_cast<uint32_t>(rows.size());
  out.arenas = batch.arenas;
  for (size_t i = 0; i < schema.fields.size(); ++i) {
    if (!batch.columns[i]) {
      out.columns.push_back(nullptr);
      continue;
    }
    auto column = make_column(*schema.fields[i].type);
    append_rows(*batch.columns[i], rows.data(), out.rows, *column, nullptr);
    out.columns.push_back(std::move(column));
  }
  auto times = std::make_shared<std::vector<int64_t>>(rows.size());
  for (size_t i = 0; i < rows.size(); ++i) (*times)[i] = (*batch.event_times)[rows[i]];
  out.event_times = std::move(times);
  if (batch.kinds) {
    auto kinds = std::make_shared<std::vector<uint8_t>>(rows.size());
    for (size_t i = 0; i < rows.size(); ++i) (*kinds)[i] = (*batch.kinds)[rows[i]];
    out.kinds = std::move(kinds);
  }
  return out;
}

}  // namespace millrace
