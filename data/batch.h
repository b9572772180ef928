// A batch: up to a few thousand rows as columns. Columns and arenas are shared and immutable once the batch has left
// the operator that built it, so copying a Batch (fan-out) copies pointers. Filters set a selection and copy nothing.
// Event time (int64 ms) and row kind are properties of the row, not columns.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <vector>

#include "data/column.h"
#include "data/types.h"

namespace millrace {

enum class RowKind : uint8_t { kInsert = 0, kUpdateBefore = 1, kUpdateAfter = 2, kDelete = 3 };  // +I -U +U -D

inline constexpr int64_t kWatermarkMin = std::numeric_limits<int64_t>::min();  // no watermark yet
inline constexpr int64_t kWatermarkMax = std::numeric_limits<int64_t>::max();  // end of input
inline constexpr uint32_t kBatchRowsMax = 4096;

using SelectionPtr = std::shared_ptr<const std::vector<uint32_t>>;

struct Batch {
  uint32_t rows = 0;                                        // physical rows in every column
  std::vector<ColumnPtr> columns;                           // null = a column that no later step uses (never decoded)
  std::shared_ptr<const std::vector<int64_t>> event_times;  // one per physical row; never null when rows > 0
  std::shared_ptr<const std::vector<uint8_t>> kinds;        // RowKind per physical row; null = all kInsert
  SelectionPtr selection;                                   // physical row numbers, ascending; null = all rows
  std::vector<std::shared_ptr<const Arena>> arenas;         // keep the bytes of strings alive

  [[nodiscard]] uint32_t selected() const { return selection ? static_cast<uint32_t>(selection->size()) : rows; }
  [[nodiscard]] bool empty() const { return selected() == 0; }
  [[nodiscard]] uint32_t row_at(uint32_t i) const { return selection ? (*selection)[i] : i; }
  [[nodiscard]] RowKind kind(uint32_t row) const {
    return kinds ? static_cast<RowKind>((*kinds)[row]) : RowKind::kInsert;
  }
  /// Memory pinned by this batch (columns and arenas), for bounding channels.
  [[nodiscard]] size_t bytes() const;
};

/// Calls f(row) for every selected physical row. The two loops keep the common case free of indirection.
template <class F>
inline void for_each_row(const Batch& batch, F&& f) {
  if (batch.selection) {
    for (uint32_t row : *batch.selection) f(row);
  } else {
    for (uint32_t row = 0; row < batch.rows; ++row) f(row);
  }
}

/// The same rows without a selection, strings copied into an arena of their own.
Batch compact(const Batch& batch, const Schema& schema);

/// Picks physical rows (ascending or not) into a new dense batch that shares the string bytes of the source.
Batch gather(const Batch& batch, const Schema& schema, std::span<const uint32_t> rows);

/// Collects rows of batches with one schema into new batches; used by exchanges and operators that re-order rows.
class BatchBuilder {
 public:
  explicit BatchBuilder(SchemaPtr schema);

  /// Appends physical rows of `from`; strings are copied into the builder's arena, so `from` may be released.
  void append(const Batch& from, const uint32_t* rows, uint32_t count);
  [[nodiscard]] uint32_t rows() const { return rows_; }
  [[nodiscard]] size_t bytes() const;
  /// Hands the rows over and starts anew.
  Batch finish();

 private:
  void reset();

  SchemaPtr schema_;
  uint32_t rows_ = 0;
  std::vector<std::shared_ptr<Column>> columns_;
  std::shared_ptr<std::vector<int64_t>> event_times_;
  std::shared_ptr<std::vector<uint8_t>> kinds_;
  ArenaPtr arena_;
};

}  // namespace millrace
