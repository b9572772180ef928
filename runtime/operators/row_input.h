// The rows of a batch one after the other with their encoded keys, resumable by position. For operators that handle
// single rows. Task's thread.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "data/batch.h"
#include "data/key_format.h"

namespace millrace {

struct InputRow {
  std::string_view key;
  uint32_t row = 0;  // physical
  int64_t time = 0;
  RowKind kind = RowKind::kInsert;
  [[nodiscard]] bool taken_back() const { return kind == RowKind::kUpdateBefore || kind == RowKind::kDelete; }
};

class RowInput {
 public:
  RowInput(SchemaPtr schema, std::vector<uint32_t> keys) : schema_(std::move(schema)), keys_(std::move(keys)) {}

  [[nodiscard]] bool at_start() const { return position_ == 0; }
  /// At the start of a batch; answers its keys.
  const std::vector<std::string_view>& start(const Batch& batch) {
    encode_keys(batch, *schema_, keys_, encoded_);
    return encoded_.keys;
  }
  /// False at the end of the batch; then the next one is started.
  bool next(const Batch& batch, InputRow& out) {
    if (position_ >= batch.selected()) {
      position_ = 0;
      return false;
    }
    out.row = batch.row_at(position_);
    out.key = encoded_.keys[position_];
    out.time = (*batch.event_times)[out.row];
    out.kind = batch.kind(out.row);
    ++position_;
    return true;
  }

 private:
  SchemaPtr schema_;
  std::vector<uint32_t> keys_;
  EncodedKeys encoded_;
  uint32_t position_ = 0;
};

}  // namespace millrace
