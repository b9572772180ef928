// The rows of a batch on their way into a join: encoded key and bytes of one after the other, resumable by position.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "data/row_codec.h"
#include "runtime/operators/join/config.h"
#include "runtime/operators/join/pairs.h"

namespace millrace {

struct JoinInputRow {
  std::string_view key;
  bool null_key = false;  // NULL is equal to nothing
  RowKind kind = RowKind::kInsert;
  JoinRow row;
};

class JoinInput {
 public:
  explicit JoinInput(const JoinConfig& config) : config_(config) {}

  [[nodiscard]] bool at_start() const { return position_ == 0; }
  /// At the start of a batch; answers its keys.
  const std::vector<std::string_view>& start(uint32_t side, const Batch& batch) {
    encode_keys(batch, *config_.inputs[side], config_.keys[side], keys_);
    return keys_.keys;
  }
  /// The next row of the started batch; false at its end.
  bool next(uint32_t side, const Batch& batch, JoinInputRow& out) {
    if (position_ >= batch.selected()) {
      position_ = 0;
      return false;
    }
    const uint32_t row = batch.row_at(position_);
    out.key = keys_.keys[position_];
    out.null_key = false;
    for (const uint32_t column : config_.keys[side]) out.null_key = out.null_key || batch.columns[column]->is_null(row);
    out.kind = batch.kind(row);
    out.row = {};
    out.row.time = (*batch.event_times)[row];
    encode_row(batch, row, out.row.bytes);
    ++position_;
    return true;
  }

 private:
  const JoinConfig& config_;
  EncodedKeys keys_;
  uint32_t position_ = 0;
};

}  // namespace millrace
