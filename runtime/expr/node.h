// Internal to runtime/expr: the evaluator's tree. A node evaluates itself for a list of rows to a Value.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "runtime/expr/evaluator.h"

namespace millrace {

/// One batch's evaluation.
struct EvalFrame {
  const Batch& batch;
  uint32_t length;  // physical rows of result columns
  Arena& arena;
  RowErrors& errors;
  const EvalContext& context;
};

/// A column of the frame's length, or of one row when constant.
struct EvalValue {
  ColumnPtr column;
  bool constant = false;

  [[nodiscard]] bool is_null(uint32_t row) const { return column->is_null(constant ? 0 : row); }
  [[nodiscard]] bool all_null() const { return constant && column->is_null(0); }
};

struct EvalNode {
  TypedExprPtr expr;
  std::vector<std::unique_ptr<EvalNode>> children;
  /// The value does not depend on the batch: computed once, at the first evaluation.
  bool constant = false;
  ColumnPtr folded;                   // one row
  std::optional<std::string> failed;  // the folded value's error
  ArenaPtr folded_arena;

  EvalValue evaluate(EvalFrame& frame, std::span<const uint32_t> rows);
};

using EvalRows = std::span<const uint32_t>;

std::unique_ptr<EvalNode> make_eval_node(const TypedExprPtr& expr);

// eval_call.cc
EvalValue evaluate_call(EvalNode& node, EvalFrame& frame, EvalRows rows);
EvalValue evaluate_cast(EvalNode& node, EvalFrame& frame, EvalRows rows);
EvalValue evaluate_field(EvalNode& node, EvalFrame& frame, EvalRows rows);
EvalValue evaluate_special(EvalNode& node, EvalFrame& frame);
// eval_logic.cc
EvalValue evaluate_and_or(EvalNode& node, EvalFrame& frame, EvalRows rows);
EvalValue evaluate_not(EvalNode& node, EvalFrame& frame, EvalRows rows);
EvalValue evaluate_is_null(EvalNode& node, EvalFrame& frame, EvalRows rows);
EvalValue evaluate_case(EvalNode& node, EvalFrame& frame, EvalRows rows);
EvalValue evaluate_coalesce(EvalNode& node, EvalFrame& frame, EvalRows rows);

/// A NULL of a type, one row.
ColumnPtr null_constant(const DataType& type);
std::shared_ptr<Column> result_column(const DataType& type, uint32_t length);
/// Makes a full column out of a constant: `rows` get its value.
ColumnPtr spread_constant(const Column& constant, const DataType& type, uint32_t length, EvalRows rows);

}  // namespace millrace
