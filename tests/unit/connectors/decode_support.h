// Records, columns and decoded rows for tests of formats.
#pragma once

#include <catch2/catch.hpp>
#include <functional>
#include <memory>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

#include "connectors/json/json_encoder.h"
#include "data/types.h"
#include "runtime/spi/format.h"

namespace millrace {

/// "a INT, b STRING FROM path user.id, c TIMESTAMP(3) FROM epoch_millis" (no commas inside FROM).
inline std::vector<DecodeColumn> decode_columns(std::string_view schema) {
  std::vector<DecodeColumn> columns;
  while (!schema.empty()) {
    while (schema.starts_with(' ') || schema.starts_with(',')) schema.remove_prefix(1);
    const size_t blank = schema.find(' ');
    DecodeColumn column;
    column.name = std::string(schema.substr(0, blank));
    schema.remove_prefix(blank + 1);
    size_t used = 0;
    auto type = parse_type(schema, &used);
    REQUIRE(type);
    column.type = *type;
    column.path = {column.name};
    schema.remove_prefix(used);
    while (schema.starts_with(' ')) schema.remove_prefix(1);
    std::string_view rest = schema.substr(0, schema.find(','));
    schema.remove_prefix(rest.size());
    if (rest.starts_with("FROM path ")) {
      rest.remove_prefix(10);
      column.path.clear();
      while (!rest.empty()) {
        const size_t dot = std::min(rest.find('.'), rest.size());
        column.path.emplace_back(rest.substr(0, dot));
        rest.remove_prefix(std::min(dot + 1, rest.size()));
      }
    } else if (rest.starts_with("FROM ")) {
      rest.remove_prefix(5);
      if (rest.starts_with("'")) rest = rest.substr(1, rest.size() - 2);
      column.time_format = std::string(rest);
    }
    columns.push_back(std::move(column));
  }
  return columns;
}

inline SchemaPtr schema_of(const std::vector<DecodeColumn>& columns) {
  auto schema = std::make_shared<Schema>();
  for (const DecodeColumn& column : columns) schema->fields.push_back({column.name, column.type});
  return schema;
}

struct RecordSet {
  RecordBatch batch;
  RecordSet() { batch.arena = std::make_shared<Arena>(); }
  RecordSet(std::initializer_list<std::string_view> texts) : RecordSet() {
    for (const std::string_view text : texts) add(text);
  }
  void add(std::string_view text) {
    Record record;
    record.value = batch.arena->copy(text);
    batch.records.push_back(record);
  }
  void add_tombstone() {
    Record record;
    record.has_value = false;
    batch.records.push_back(record);
  }
};

struct Decoded {
  using Make = std::function<Result<DecoderPtr>(const std::vector<DecodeColumn>&)>;
  SchemaPtr schema;
  RecordSet records;
  DecodeResult result;

  Decoded(const Make& make, std::string_view schema_text, RecordSet set) : records(std::move(set)) {
    const auto columns = decode_columns(schema_text);
    schema = schema_of(columns);
    auto decoder = make(columns);
    REQUIRE(decoder);
    REQUIRE((*decoder)->decode(records.batch, result));
  }
  [[nodiscard]] Batch as_batch() const {
    Batch batch;
    batch.rows = result.rows;
    batch.columns = result.columns;
    batch.event_times = std::make_shared<std::vector<int64_t>>(result.rows, 0);
    return batch;
  }
  [[nodiscard]] std::string rows_as_json() const { return batch_as_json(as_batch(), schema); }

  static std::string batch_as_json(const Batch& batch, const SchemaPtr& schema) {
    std::vector<uint32_t> rows;
    for_each_row(batch, [&](uint32_t row) { rows.push_back(row); });
    std::string text;
    std::vector<size_t> ends;
    REQUIRE(make_json_encoder(schema, {}, false)->encode(batch, rows, text, ends));
    REQUIRE(ends.size() == rows.size());
    return text;
  }
};

Result<DecoderPtr> make_json_decoder(const std::vector<DecodeColumn>& columns);

inline std::string decode_to_json(std::string_view schema, std::initializer_list<std::string_view> records) {
  Decoded decoded(make_json_decoder, schema, RecordSet(records));
  std::string text = decoded.rows_as_json();
  if (decoded.result.rows == 0 && !decoded.result.bad.empty()) text += "bad: " + decoded.result.bad[0].message;
  return text;
}

}  // namespace millrace
