// What the author of a scalar function writes: one vectorised kernel.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "data/batch.h"
#include "data/column.h"

namespace millrace {

struct TypedExpr;

/// Rows whose evaluation failed, with the first reason of each. A failed row's value is NULL; the step's on_error
/// decides.
class RowErrors {
 public:
  void add(uint32_t row, std::string message);
  [[nodiscard]] bool empty() const { return rows_.empty(); }
  [[nodiscard]] bool contains(uint32_t row) const { return row < marked_.size() && marked_[row]; }
  [[nodiscard]] const std::vector<std::pair<uint32_t, std::string>>& rows() const { return rows_; }
  void clear();

 private:
  std::vector<std::pair<uint32_t, std::string>> rows_;
  std::vector<bool> marked_;  // by row, so that a batch full of errors stays linear
};

/// Arguments of one kernel call. `rows` are the physical rows to compute, ascending, none with a NULL argument when the
/// function is null_in_null_out; `out` has the batch's full physical length and no NULL in `rows`; other rows are not
/// touched. An argument column has the batch's full length, or one row when it is constant: read it through ArgReader
/// (runtime/spi/kernel.h), never by plain row number.
struct KernelArgs {
  std::span<const ColumnPtr> args;
  std::span<const TypePtr> types;
  const TypePtr& result_type;
  std::span<const uint32_t> rows;
  Column& out;
  Arena& arena;  // bytes of result strings
  RowErrors& errors;
  const void* bound;    // what `resolve` prepared
  int64_t now_ms;       // wall clock of this batch, for CURRENT_TIMESTAMP
  uint32_t length = 0;  // physical rows of `out`; lists and structs arrive empty and are built to this length
  std::span<const uint8_t> constant = {};  // per argument: 1 = the column has one row that holds for all
  const TypedExpr* expr = nullptr;         // the call itself, may be null

  /// Marks the row as failed; its value becomes NULL.
  void fail(uint32_t row, std::string message) const {
    errors.add(row, std::move(message));
    out.set_null(row);
  }
};

/// One vectorised function; stateless, called by several threads at once.
struct ScalarKernel {
  void (*run)(const KernelArgs& call) = nullptr;
};

}  // namespace millrace
