// What `join:` was bound to. Column numbers of the combined row: the left input's columns, then the right one's.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "plan/job_graph.h"
#include "runtime/spi/lookup.h"

namespace millrace {

enum class JoinKind : uint8_t { kRegular, kInterval, kWindow, kTemporal, kLookup };
enum class JoinType : uint8_t { kInner, kLeft, kRight, kFull, kSemi, kAnti };

struct JoinConfig final : OperatorConfig {
  JoinKind kind = JoinKind::kRegular;
  JoinType type = JoinType::kInner;
  SchemaPtr inputs[2];  // left, right
  Changelog changelogs[2]{};
  std::vector<uint32_t> keys[2];     // columns that have to be equal, in the same order
  TypedExprPtr where;                // over the combined row; may be null
  std::vector<TypedExprPtr> select;  // over the combined row (window joins: then window_start, window_end)
  SchemaPtr output;
  // interval: right time − left time within [from, to]
  int64_t from_ms = 0;
  int64_t to_ms = 0;
  // window
  int64_t size_ms = 0;
  int64_t slide_ms = 0;
  int64_t offset_ms = 0;
  // regular: 0 = for ever
  int64_t ttl_ms = 0;
  // lookup: the right input is a table outside
  LookupConfig table;
  bool ordered = true;
  int64_t in_flight = 1000;  // rows that may wait; a batch more, because batches are taken whole
  int64_t cache_size = 10'000;
  int64_t cache_ttl_ms = 0;  // 0: nothing is kept
  int64_t retry_attempts = 10;
  int64_t retry_delay_ms = 100;

  [[nodiscard]] bool keeps_left() const {
    return type == JoinType::kLeft || type == JoinType::kFull || type == JoinType::kAnti;
  }
  [[nodiscard]] bool keeps_right() const { return type == JoinType::kRight || type == JoinType::kFull; }
  [[nodiscard]] bool keeps(int side) const { return side == 0 ? keeps_left() : keeps_right(); }
};

}  // namespace millrace
