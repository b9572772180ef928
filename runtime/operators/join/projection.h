// `where` and `select` of a join over combined rows: the left input's columns, then the right one's (window joins: then
// window_start, window_end). Columns that neither reads may be null. One object per operator.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "runtime/expr/evaluator.h"
#include "runtime/operators/join/config.h"
#include "runtime/spi/operator.h"

namespace millrace {

class JoinProjection {
 public:
  static Result<JoinProjection> make(const JoinConfig& config);

  [[nodiscard]] bool has_where() const { return where_ != nullptr; }
  /// passes[i] = 1 where the condition is TRUE. The error is kEvaluation.
  Status test(const Batch& combined, std::vector<uint8_t>& passes);
  /// The output rows of combined ones, with their event times and kinds. The error is kEvaluation.
  Result<Batch> project(const Batch& combined);

  /// Columns of the combined row that `where` and `select` read.
  [[nodiscard]] const std::vector<uint32_t>& where_reads() const { return where_reads_; }
  [[nodiscard]] const std::vector<uint32_t>& select_reads() const { return select_reads_; }

 private:
  std::unique_ptr<Predicate> where_;
  std::unique_ptr<Evaluator> select_;
  std::vector<uint32_t> where_reads_;
  std::vector<uint32_t> select_reads_;
  std::vector<uint32_t> selected_;
};

}  // namespace millrace
