// From stored rows to output: pairs of rows (either side may be absent: NULLs) are tested with `where`, projected with
// `select` and handed out in batches. One object per operator.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/bytes.h"
#include "runtime/operators/join/config.h"
#include "runtime/operators/join/projection.h"
#include "runtime/spi/operator.h"

namespace millrace {

/// A row kept by a join.
struct JoinRow {
  int64_t time = 0;
  std::string bytes;  // data/row_codec.h
  uint32_t matches = 0;
  int64_t stored_ms = 0;  // wall clock, for ttl
};

void save_join_row(const JoinRow& row, ByteWriter& out);
bool load_join_row(ByteReader& in, JoinRow& row);

struct JoinPair {
  const JoinRow* left = nullptr;  // null: NULLs
  const JoinRow* right = nullptr;
};

class JoinPairs {
 public:
  static Result<std::unique_ptr<JoinPairs>> make(const JoinConfig& config);

  /// For each pair whether `where` is TRUE (all of them without `where`). The error is kEvaluation.
  Status test(const std::vector<JoinPair>& pairs, std::vector<uint8_t>& passes);

  /// Queues a result row; pointers are read at once.
  Status add(const JoinPair& pair, int64_t event_time, RowKind kind, int64_t window_start = 0, int64_t window_end = 0);
  /// Rows queued and not yet emitted.
  [[nodiscard]] uint32_t queued() const { return rows_; }
  [[nodiscard]] bool full() const { return rows_ >= kBatchRowsMax; }
  /// Projects and emits what is queued.
  Status flush(Output& out);

 private:
  struct Combined {
    std::vector<std::shared_ptr<Column>> columns;
    ArenaPtr arena;
  };
  Status append(Combined& combined, const JoinPair& pair) const;
  [[nodiscard]] Combined empty() const;
  static Batch to_batch(const Combined& combined, uint32_t rows);

  const JoinConfig* config_ = nullptr;
  JoinProjection projection_;
  Combined queue_;
  std::vector<int64_t> times_;
  std::vector<uint8_t> kinds_;
  std::vector<int64_t> window_starts_;
  std::vector<int64_t> window_ends_;
  bool updates_ = false;
  uint32_t rows_ = 0;
};

}  // namespace millrace
