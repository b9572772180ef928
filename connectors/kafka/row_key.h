// The record key of a row: one column gives its plain text (BYTES raw), several give a JSON object in the order of
// `key:`. A NULL in a single key column gives a record without a key.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "connectors/json/json_encoder.h"
#include "data/batch.h"

namespace millrace {

class RowKeyWriter {
 public:
  /// `columns` index `schema` and are not empty.
  RowKeyWriter(const Schema& schema, std::vector<uint32_t> columns);
  /// Appends the key of a physical row; false: the row has none.
  bool append(const Batch& batch, uint32_t row, std::string& out) const;

 private:
  void append_plain(const Column& column, uint32_t row, std::string& out) const;

  std::vector<uint32_t> columns_;
  std::vector<std::string> names_;  // as JSON, with the colon
  std::vector<JsonValueWriter> writers_;
  TypeKind kind_;
};

}  // namespace millrace
