// Calls of functions, casts, fields and the values of the context.
#include "plan/expr/function_registry.h"
#include "runtime/expr/cast.h"
#include "runtime/expr/node.h"
#include "runtime/spi/kernel.h"

namespace millrace {

namespace {

constexpr uint32_t kRow0[] = {0};

/// Marks rows with a NULL argument in `out` and collects the others. False when no argument has NULLs.
bool drop_null_rows(std::span<const EvalValue> args, EvalRows rows, Column& out, std::vector<uint32_t>& active) {
  std::vector<const uint8_t*> masks;
  for (const EvalValue& arg : args) {
    if (!arg.constant && arg.column->has_nulls()) masks.push_back(arg.column->nulls());
  }
  if (masks.empty()) return false;
  active.resize(rows.size());
  size_t kept = 0;
  for (uint32_t row : rows) {
    uint8_t null = masks[0][row];
    for (size_t i = 1; i < masks.size(); ++i) null = static_cast<uint8_t>(null | masks[i][row]);
    active[kept] = row;
    kept += null == 0 ? 1 : 0;
  }
  if (kept == rows.size()) return false;
  for (uint32_t row : rows) {
    for (const uint8_t* mask : masks) {
      if (mask[row] != 0) {
        out.set_null(row);
        break;
      }
    }
  }
  active.resize(kept);
  return true;
}

bool is_nested_value(const Column& column) {
  return column.type() == PhysicalType::kList || column.type() == PhysicalType::kStruct;
}

}  // namespace

EvalValue evaluate_call(EvalNode& node, EvalFrame& frame, EvalRows rows) {
  const TypedExpr& expr = *node.expr;
  const ScalarFunction& function = *expr.function;
  std::vector<EvalValue> values;
  std::vector<ColumnPtr> columns;
  std::vector<TypePtr> types;
  std::vector<uint8_t> constant;
  values.reserve(node.children.size());
  bool all_constant = function.deterministic;
  for (const auto& child : node.children) {
    values.push_back(child->evaluate(frame, rows));
    EvalValue& value = values.back();
    if (function.null_in_null_out && value.all_null()) return {null_constant(*expr.type), true};
    columns.push_back(value.column);
    types.push_back(child->expr->type);
    constant.push_back(value.constant ? 1 : 0);
    all_constant = all_constant && value.constant;
  }
  // Constant arguments that are no plan-time constants (CURRENT_WATERMARK()): one row is enough.
  const bool single = all_constant && !node.constant && !rows.empty();
  EvalRows targets = single ? EvalRows(kRow0) : rows;
  auto out = result_column(*expr.type, single ? 1 : frame.length);
  std::vector<uint32_t> active;
  if (function.null_in_null_out && !is_nested_value(*out) && drop_null_rows(values, targets, *out, active)) {
    targets = active;
  }
  if (single) {
    RowErrors errors;
    function.kernel->run({columns, types, expr.type, targets, *out, frame.arena, errors, expr.bound.get(),
                          frame.context.now_ms, single ? 1 : frame.length, constant, &expr});
    for (const auto& [row, message] : errors.rows()) {
      for (uint32_t each : rows) frame.errors.add(each, message);
    }
  } else {
    function.kernel->run({columns, types, expr.type, targets, *out, frame.arena, frame.errors, expr.bound.get(),
                          frame.context.now_ms, single ? 1 : frame.length, constant, &expr});
  }
  return {out, single || (node.constant && frame.length == 1)};
}

EvalValue evaluate_cast(EvalNode& node, EvalFrame& frame, EvalRows rows) {
  const TypedExpr& expr = *node.expr;
  EvalValue operand = node.children[0]->evaluate(frame, rows);
  const DataType& from = *node.children[0]->expr->type;
  if (operand.all_null()) return {null_constant(*expr.type), true};
  if (cast_keeps_column(from, *expr.type)) return operand;
  EvalRows targets = operand.constant ? EvalRows(kRow0) : rows;
  auto out = result_column(*expr.type, operand.constant ? 1 : frame.length);
  std::vector<uint32_t> active;
  if (!is_nested_value(*out) && drop_null_rows({&operand, 1}, targets, *out, active)) targets = active;
  RowErrors local;
  RowErrors* errors = expr.try_cast ? nullptr : (operand.constant && !rows.empty() ? &local : &frame.errors);
  cast_rows({*operand.column, from, *expr.type, targets, *out, frame.arena, errors});
  if (!local.empty()) {
    for (uint32_t row : rows) frame.errors.add(row, local.rows().front().second);
  }
  return {out, operand.constant};
}

EvalValue evaluate_field(EvalNode& node, EvalFrame& frame, EvalRows rows) {
  EvalValue whole = node.children[0]->evaluate(frame, rows);
  if (whole.all_null()) return {null_constant(*node.expr->type), true};
  ColumnPtr child = whole.column->children()[node.expr->column];
  const uint8_t* nulls = whole.column->nulls();
  if (nulls == nullptr) return {child, whole.constant};
  // NULL rows have NULL fields.
  auto out = make_column(*node.expr->type);
  ColumnPtr nothing = null_constant(*node.expr->type);
  uint32_t length = whole.constant ? 1 : frame.length;
  for (uint32_t row = 0; row < length; ++row) {
    bool null = nulls[row] != 0;
    uint32_t at = null ? 0 : row;
    append_rows(null ? *nothing : *child, &at, 1, *out, nullptr);
  }
  return {out, whole.constant};
}

EvalValue evaluate_special(EvalNode& node, EvalFrame& frame) {
  const TypedExpr& expr = *node.expr;
  const EvalContext& context = frame.context;
  int64_t value = context.now_ms;
  if (expr.name == "TIMER_TIME") value = context.timer_time;
  if (expr.name == "CURRENT_WATERMARK") {
    if (context.watermark == kWatermarkMin) return {null_constant(*expr.type), true};
    value = context.watermark;
  }
  return {literal_column(*expr.type, Literal{value}, frame.arena), true};
}

}  // namespace millrace
