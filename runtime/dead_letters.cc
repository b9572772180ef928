#include "runtime/dead_letters.h"

#include <fmt/format.h>

#include "plan/job_graph.h"

namespace millrace {

namespace {

/// Well-formed UTF-8 without overlong forms and surrogates (Unicode 15, table 3-7).
bool is_dead_letter_text(std::string_view text) {
  const auto* p = reinterpret_cast<const unsigned char*>(text.data());
  const auto* end = p + text.size();
  while (p < end) {
    const unsigned char lead = *p++;
    if (lead < 0x80) continue;
    int more = 0;
    unsigned char low = 0x80;
    unsigned char high = 0xBF;
    if (lead >= 0xC2 && lead <= 0xDF) {
      more = 1;
    } else if (lead >= 0xE0 && lead <= 0xEF) {
      more = 2;
      if (lead == 0xE0) low = 0xA0;
      if (lead == 0xED) high = 0x9F;
    } else if (lead >= 0xF0 && lead <= 0xF4) {
      more = 3;
      if (lead == 0xF0) low = 0x90;
      if (lead == 0xF4) high = 0x8F;
    } else {
      return false;
    }
    for (; more > 0; --more) {
      if (p == end || *p < low || *p > high) return false;
      ++p;
      low = 0x80;
      high = 0xBF;
    }
  }
  return true;
}

class DeadLetterColumns {
 public:
  DeadLetterColumns(const Schema& schema, uint32_t rows) : schema_(schema), arena_(std::make_shared<Arena>()) {
    for (const Field& field : schema.fields) {
      columns_.push_back(make_column(*field.type));
      columns_.back()->resize(rows);
    }
  }
  void text(std::string_view column, uint32_t row, std::string_view value) {
    at(column).values<StringRef>()[row] = arena_->copy(value);
  }
  void number(std::string_view column, uint32_t row, int64_t value) {
    Column& out = at(column);
    if (out.type() == PhysicalType::kInt32) {
      out.values<int32_t>()[row] = static_cast<int32_t>(value);
    } else {
      out.values<int64_t>()[row] = value;
    }
  }
  void null(std::string_view column, uint32_t row) { at(column).set_null(row); }
  Batch finish(uint32_t rows, int64_t time_ms) {
    Batch batch;
    batch.rows = rows;
    batch.columns.assign(columns_.begin(), columns_.end());
    batch.event_times = std::make_shared<std::vector<int64_t>>(rows, time_ms);
    batch.arenas.push_back(arena_);
    return batch;
  }

 private:
  Column& at(std::string_view name) {
    const auto index = schema_.find(name);
    MR_CHECK(index.has_value(), "dead letters have no column " + std::string(name));
    return *columns_[*index];
  }
  const Schema& schema_;
  ArenaPtr arena_;
  std::vector<std::shared_ptr<Column>> columns_;
};

void put_record(DeadLetterColumns& out, uint32_t row, const RecordBatch& records, const Record& record) {
  out.text("topic", row, records.topic);
  out.number("partition", row, records.partition);
  out.number("offset", row, record.offset);
  if (record.timestamp > 0) {
    out.number("record_time", row, record.timestamp);
  } else {
    out.null("record_time", row);
  }
  if (record.has_key) {
    out.text("key", row, record.key.view());
  } else {
    out.null("key", row);
  }
  if (record.has_value) {
    out.text("raw", row, record.value.view());
  } else {
    out.null("raw", row);
  }
  if (record.has_value && is_dead_letter_text(record.value.view())) {
    out.text("raw_text", row, record.value.view());
  } else {
    out.null("raw_text", row);
  }
}

}  // namespace

Batch make_source_dead_letters(const std::string& source, const RecordBatch* records, std::span<const BadRecord> bad,
                               int64_t failed_at_ms) {
  const SchemaPtr schema = source_dead_letter_schema();
  const auto rows = static_cast<uint32_t>(bad.size());
  DeadLetterColumns out(*schema, rows);
  for (uint32_t row = 0; row < rows; ++row) {
    out.text("source", row, source);
    out.text("code", row, error_info(bad[row].code).code);
    out.text("error", row, bad[row].message);
    out.number("failed_at", row, failed_at_ms);
    if (records != nullptr) {
      put_record(out, row, *records, records->records[bad[row].record]);
      continue;
    }
    for (const char* column : {"topic", "partition", "offset", "record_time", "key", "raw", "raw_text"}) {
      out.null(column, row);
    }
  }
  return out.finish(rows, failed_at_ms);
}

std::string describe_bad_record(const RecordBatch* records, const BadRecord& bad) {
  if (records == nullptr) return bad.message;
  const Record& record = records->records[bad.record];
  if (record.line > 0) return fmt::format("{}:{}: {}", records->topic, record.line, bad.message);
  return fmt::format("topic {} partition {} offset {}: {}", records->topic, records->partition, record.offset,
                     bad.message);
}

}  // namespace millrace
