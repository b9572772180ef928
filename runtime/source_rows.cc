#include "runtime/source_rows.h"

#include <algorithm>

#include "runtime/expr/evaluator.h"
#include "runtime/metadata_columns.h"

namespace millrace {

namespace {
constexpr uint8_t kRowGood = 0;
constexpr uint8_t kRowBad = 1;
constexpr uint8_t kRowAhead = 2;
}  // namespace

std::vector<DecodeColumn> decode_columns(const SourceConfig& config) {
  std::vector<DecodeColumn> columns;
  int32_t ordinal = -1;
  for (const SourceColumn& column : config.columns) {
    if (column.kind != SourceColumn::Kind::kPhysical) continue;
    ++ordinal;
    if (!column.used) continue;
    columns.push_back({.name = column.name,
                       .type = column.type,
                       .path = column.path.empty() ? std::vector<std::string>{column.name} : column.path,
                       .time_format = column.time_format,
                       .ordinal = ordinal});
  }
  return columns;
}

/// Columns `AS expression`; each may read those above it.
struct SourceRowMaker::Computed {
  struct Entry {
    uint32_t column = 0;
    std::unique_ptr<Evaluator> evaluator;
  };
  std::vector<Entry> entries;
  std::vector<ColumnPtr> results;
  RowErrors errors;
};

SourceRowMaker::SourceRowMaker(std::shared_ptr<const SourceConfig> config, SchemaPtr schema, DecoderPtr decoder)
    : config_(std::move(config)), schema_(std::move(schema)), decoder_(std::move(decoder)) {
  for (uint32_t c = 0; c < config_->columns.size(); ++c) {
    const SourceColumn& column = config_->columns[c];
    if (!column.used) continue;
    if (column.kind == SourceColumn::Kind::kPhysical) physical_.push_back(c);
    if (column.kind == SourceColumn::Kind::kMetadata) metadata_.push_back(c);
  }
}

SourceRowMaker::~SourceRowMaker() = default;

Status SourceRowMaker::open() {
  computed_ = std::make_unique<Computed>();
  for (uint32_t c = 0; c < config_->columns.size(); ++c) {
    const SourceColumn& column = config_->columns[c];
    if (!column.used || column.kind != SourceColumn::Kind::kComputed) continue;
    MR_ASSIGN(auto evaluator, Evaluator::make({column.computed}));
    computed_->entries.push_back({c, std::move(evaluator)});
  }
  return {};
}

Status SourceRowMaker::make(SourceChunk& chunk, int64_t now_ms, SourceRows& out) {
  out = SourceRows{};
  fate_.clear();
  record_of_row_.clear();
  auto* records = std::get_if<RecordBatch>(&chunk.payload);
  if (records != nullptr) {
    MR_TRY(decode(*records, out));
    if (out.batch.rows > 0) add_metadata(*records, out.batch);
  } else {
    place_typed(std::move(std::get<Batch>(chunk.payload)), out);
  }
  Batch batch = std::move(out.batch);
  if (batch.rows == 0) return {};
  compute(batch, now_ms, out.bad);
  set_event_times(records, batch, now_ms, out);
  select_good(std::move(batch), out);
  return {};
}

Status SourceRowMaker::decode(RecordBatch& records, SourceRows& out) {
  MR_CHECK(decoder_ != nullptr, "raw records from a source without a format");
  out.records = static_cast<uint32_t>(records.records.size());
  for (const Record& record : records.records) out.bytes += record.value.size;
  decoded_.columns.clear();
  decoded_.record_of_row.clear();
  decoded_.bad.clear();
  decoded_.arenas.clear();
  decoded_.rows = 0;
  decoded_.skipped = 0;
  MR_TRY(decoder_->decode(records, decoded_));
  out.skipped = decoded_.skipped;
  out.bad = std::move(decoded_.bad);
  record_of_row_.swap(decoded_.record_of_row);
  Batch& batch = out.batch;
  batch.rows = decoded_.rows;
  batch.columns.resize(config_->columns.size());
  for (size_t i = 0; i < physical_.size(); ++i) batch.columns[physical_[i]] = std::move(decoded_.columns[i]);
  batch.arenas = std::move(decoded_.arenas);
  if (records.arena) batch.arenas.push_back(records.arena);
  return {};
}

void SourceRowMaker::place_typed(Batch rows, SourceRows& out) {
  out.records = rows.selected();
  out.bytes = rows.bytes();
  if (rows.columns.size() == config_->columns.size()) {
    out.batch = std::move(rows);
    return;
  }
  // Only the physical columns were delivered, used or not.
  std::vector<ColumnPtr> columns(config_->columns.size());
  size_t next = 0;
  for (size_t c = 0; c < columns.size(); ++c) {
    if (config_->columns[c].kind != SourceColumn::Kind::kPhysical) continue;
    MR_CHECK(next < rows.columns.size(), "a typed source delivered too few columns");
    columns[c] = std::move(rows.columns[next++]);
  }
  rows.columns = std::move(columns);
  out.batch = std::move(rows);
}

void SourceRowMaker::add_metadata(const RecordBatch& records, Batch& batch) {
  if (metadata_.empty()) return;
  auto arena = std::make_shared<Arena>(1024);
  for (const uint32_t c : metadata_) {
    const SourceColumn& column = config_->columns[c];
    batch.columns[c] = metadata_column(column.metadata, *column.type, records, batch.rows, record_of_row_, *arena);
  }
  batch.arenas.push_back(std::move(arena));
}

void SourceRowMaker::compute(Batch& batch, int64_t now_ms, std::vector<BadRecord>& bad) {
  if (computed_->entries.empty()) return;
  auto arena = std::make_shared<Arena>();
  for (const Computed::Entry& entry : computed_->entries) {
    computed_->results.clear();
    computed_->errors.clear();
    entry.evaluator->evaluate(batch, computed_->results, arena, computed_->errors, {.now_ms = now_ms});
    batch.columns[entry.column] = computed_->results.front();
    for (const auto& [row, message] : computed_->errors.rows()) {
      fate_.resize(batch.rows, kRowGood);
      if (fate_[row] == kRowBad) continue;
      fate_[row] = kRowBad;
      bad.push_back(
          {record_of(row), ErrorCode::kEvaluation, "column `" + config_->columns[entry.column].name + "`: " + message});
    }
  }
  batch.arenas.push_back(std::move(arena));
}

void SourceRowMaker::set_event_times(const RecordBatch* records, Batch& batch, int64_t now_ms, SourceRows& out) {
  const EventTimeConfig& config = config_->event_time;
  if (config.column < 0) {
    if (batch.event_times != nullptr) return;
    auto times = std::make_shared<std::vector<int64_t>>(batch.rows, now_ms);
    for (uint32_t row = 0; records != nullptr && row < batch.rows; ++row) {
      const int64_t timestamp = records->records[record_of(row)].timestamp;
      if (timestamp > 0) (*times)[row] = timestamp;
    }
    batch.event_times = std::move(times);
    return;
  }
  const Column& column = *batch.columns[static_cast<size_t>(config.column)];
  const auto* values = column.values<int64_t>();
  batch.event_times = std::make_shared<std::vector<int64_t>>(values, values + batch.rows);
  int64_t limit = INT64_MAX;
  if (config.max_ahead_ms >= 0) limit = now_ms + config.max_ahead_ms;
  const bool usual = !column.has_nulls() && limit == INT64_MAX && fate_.empty();
  int64_t highest = kWatermarkMin;
  if (usual) {
    for_each_row(batch, [&](uint32_t row) { highest = std::max(highest, values[row]); });
    out.max_timestamp = highest;
    return;
  }
  fate_.resize(batch.rows, kRowGood);
  for_each_row(batch, [&](uint32_t row) {
    if (fate_[row] != kRowGood) return;
    if (column.is_null(row)) {
      fate_[row] = kRowBad;
      const std::string& name = config_->columns[static_cast<size_t>(config.column)].name;
      out.bad.push_back({record_of(row), ErrorCode::kBadRecord, "event time `" + name + "` is NULL"});
    } else if (values[row] > limit) {
      fate_[row] = kRowAhead;
    } else {
      highest = std::max(highest, values[row]);
    }
  });
  out.max_timestamp = highest;
}

void SourceRowMaker::select_good(Batch batch, SourceRows& out) {
  if (std::all_of(fate_.begin(), fate_.end(), [](uint8_t fate) { return fate == kRowGood; })) {
    out.batch = std::move(batch);
    return;
  }
  auto good = std::make_shared<std::vector<uint32_t>>();
  auto ahead = std::make_shared<std::vector<uint32_t>>();
  for_each_row(batch, [&](uint32_t row) {
    if (fate_[row] == kRowGood) good->push_back(row);
    if (fate_[row] == kRowAhead) ahead->push_back(row);
  });
  if (!ahead->empty()) {
    out.ahead = batch;
    out.ahead.selection = std::move(ahead);
  }
  if (good->empty()) return;
  out.batch = std::move(batch);
  out.batch.selection = std::move(good);
}

}  // namespace millrace
