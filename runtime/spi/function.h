// What the author of a scalar function writes: one vectorised kernel.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "data/batch.h"
#include "data/column.h"

namespace millrace {

/// Rows whose evaluation failed, with the first reason of each. A failed row's value is NULL; the step's on_error decides.
class RowErrors {
 public:
  void add(uint32_t row, std::string message);
  [[nodiscard]] bool empty() const { return rows_.empty(); }
  [[nodiscard]] bool contains(uint32_t row) const;
  [[nodiscard]] const std::vector<std::pair<uint32_t, std::string>>& rows() const { return rows_; }
  void clear() { rows_.clear(); }

 private:
  std::vector<std::pair<uint32_t, std::string>> rows_;
};

/// Arguments of one kernel call. `rows` are the physical rows to compute; argument columns and `out` have the batch's full
/// physical length, other rows are not touched.
struct KernelArgs {
  std::span<const ColumnPtr> args;
  std::span<const TypePtr> types;
  const TypePtr& result_type;
  std::span<const uint32_t> rows;
  Column& out;
  Arena& arena;         // bytes of result strings
  RowErrors& errors;
  const void* bound;    // what `resolve` prepared
  int64_t now_ms;       // wall clock of this batch, for CURRENT_TIMESTAMP
};

struct ScalarKernel {
  void (*run)(const KernelArgs& call) = nullptr;
};

}  // namespace millrace
