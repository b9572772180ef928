#include "runtime/operators/join/pairs.h"

#include <algorithm>

#include "data/row_codec.h"

namespace millrace {

void save_join_row(const JoinRow& row, ByteWriter& out) {
  out.put(row.time);
  out.put(row.matches);
  out.put(row.stored_ms);
  out.put_string(row.bytes);
}

bool load_join_row(ByteReader& in, JoinRow& row) {
  row.time = in.get<int64_t>();
  row.matches = in.get<uint32_t>();
  row.stored_ms = in.get<int64_t>();
  row.bytes = std::string(in.get_string());
  return in.ok();
}

Result<std::unique_ptr<JoinPairs>> JoinPairs::make(const JoinConfig& config) {
  auto pairs = std::make_unique<JoinPairs>();
  pairs->config_ = &config;
  MR_ASSIGN(pairs->projection_, JoinProjection::make(config));
  pairs->queue_ = pairs->empty();
  return pairs;
}

JoinPairs::Combined JoinPairs::empty() const {
  Combined combined;
  for (const SchemaPtr& schema : config_->inputs) {
    for (const Field& field : schema->fields) combined.columns.push_back(make_column(*field.type));
  }
  combined.arena = std::make_shared<Arena>();
  return combined;
}

Status JoinPairs::append(Combined& combined, const JoinPair& pair) const {
  const size_t left_columns = config_->inputs[0]->size();
  const std::span<const std::shared_ptr<Column>> all(combined.columns);
  const std::span<const std::shared_ptr<Column>> sides[2] = {all.first(left_columns), all.subspan(left_columns)};
  const JoinRow* rows[2] = {pair.left, pair.right};
  for (int side = 0; side < 2; ++side) {
    if (rows[side] == nullptr) {
      for (const auto& column : sides[side]) append_null(*column);
    } else if (!decode_row(rows[side]->bytes, sides[side], *combined.arena)) {
      return make_error(ErrorCode::kCorruptState, "a row kept by a join cannot be read");
    }
  }
  return {};
}

Batch JoinPairs::to_batch(const Combined& combined, uint32_t rows) {
  Batch batch;
  batch.rows = rows;
  batch.columns.assign(combined.columns.begin(), combined.columns.end());
  batch.arenas.push_back(combined.arena);
  return batch;
}

Status JoinPairs::test(const std::vector<JoinPair>& pairs, std::vector<uint8_t>& passes) {
  if (!projection_.has_where()) {
    passes.assign(pairs.size(), 1);
    return {};
  }
  Combined combined = empty();
  for (const JoinPair& pair : pairs) MR_TRY(append(combined, pair));
  return projection_.test(to_batch(combined, static_cast<uint32_t>(pairs.size())), passes);
}

Status JoinPairs::add(const JoinPair& pair, int64_t event_time, RowKind kind, int64_t window_start,
                      int64_t window_end) {
  MR_TRY(append(queue_, pair));
  times_.push_back(event_time);
  kinds_.push_back(static_cast<uint8_t>(kind));
  window_starts_.push_back(window_start);
  window_ends_.push_back(window_end);
  updates_ = updates_ || kind != RowKind::kInsert;
  ++rows_;
  return {};
}

namespace {

ColumnPtr time_column(const std::vector<int64_t>& values) {
  auto column = std::make_shared<Column>(PhysicalType::kInt64);
  column->resize(static_cast<uint32_t>(values.size()));
  std::copy(values.begin(), values.end(), column->values<int64_t>());
  return column;
}

}  // namespace

Status JoinPairs::flush(Output& out) {
  if (rows_ == 0) return {};
  Batch combined = to_batch(queue_, rows_);
  combined.event_times = std::make_shared<const std::vector<int64_t>>(times_);
  if (config_->kind == JoinKind::kWindow) {
    combined.columns.push_back(time_column(window_starts_));
    combined.columns.push_back(time_column(window_ends_));
  }
  if (updates_) combined.kinds = std::make_shared<const std::vector<uint8_t>>(kinds_);
  MR_ASSIGN(Batch result, projection_.project(combined));
  queue_ = empty();
  rows_ = 0;
  updates_ = false;
  times_.clear();
  kinds_.clear();
  window_starts_.clear();
  window_ends_.clear();
  out.emit(0, std::move(result));
  return {};
}

}  // namespace millrace
