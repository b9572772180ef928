#include "runtime/expr/evaluator.h"

#include <algorithm>
#include <numeric>

#include "plan/expr/function_registry.h"
#include "runtime/expr/node.h"
#include "runtime/spi/kernel.h"

namespace millrace {

namespace {

bool is_nested_layout(PhysicalType type) { return type == PhysicalType::kList || type == PhysicalType::kStruct; }

bool deterministic(const TypedExpr& expr) {
  switch (expr.kind) {
    case ExprKind::kColumn:
    case ExprKind::kSpecial:
      return false;
    case ExprKind::kCall:
      return expr.function->deterministic;
    default:
      return true;
  }
}

/// A constant that a result may point into gets its bytes copied into the batch's arena.
ColumnPtr own_constant(const ColumnPtr& folded, const DataType& type, Arena& arena) {
  PhysicalType layout = folded->type();
  if (layout != PhysicalType::kString && !is_nested_layout(layout)) return folded;
  auto copy = make_column(type);
  append_rows(*folded, nullptr, 1, *copy, &arena);
  return copy;
}

EvalValue evaluate_constant(EvalNode& node, EvalFrame& frame, EvalRows rows);

EvalValue evaluate_varying(EvalNode& node, EvalFrame& frame, EvalRows rows) {
  switch (node.expr->kind) {
    case ExprKind::kColumn:
      return {frame.batch.columns[node.expr->column], false};
    case ExprKind::kLiteral:
      return {literal_column(*node.expr->type, node.expr->literal, frame.arena), true};
    case ExprKind::kCall:
      return evaluate_call(node, frame, rows);
    case ExprKind::kCast:
      return evaluate_cast(node, frame, rows);
    case ExprKind::kCase:
      return evaluate_case(node, frame, rows);
    case ExprKind::kCoalesce:
      return evaluate_coalesce(node, frame, rows);
    case ExprKind::kAnd:
    case ExprKind::kOr:
      return evaluate_and_or(node, frame, rows);
    case ExprKind::kNot:
      return evaluate_not(node, frame, rows);
    case ExprKind::kIsNull:
      return evaluate_is_null(node, frame, rows);
    case ExprKind::kField:
      return evaluate_field(node, frame, rows);
    case ExprKind::kSpecial:
      return evaluate_special(node, frame);
  }
  return {};
}

EvalValue evaluate_constant(EvalNode& node, EvalFrame& frame, EvalRows rows) {
  if (!node.folded) {
    static constexpr uint32_t kRow0[] = {0};
    node.folded_arena = std::make_shared<Arena>(256);
    RowErrors errors;
    Batch none;
    none.rows = 1;
    EvalFrame inner{none, 1, *node.folded_arena, errors, frame.context};
    EvalValue value = evaluate_varying(node, inner, kRow0);
    node.folded = value.column;
    if (!errors.empty()) node.failed = errors.rows().front().second;
  }
  if (node.failed) {
    for (uint32_t row : rows) frame.errors.add(row, *node.failed);
  }
  return {own_constant(node.folded, *node.expr->type, frame.arena), true};
}

}  // namespace

EvalValue EvalNode::evaluate(EvalFrame& frame, EvalRows rows) {
  return constant ? evaluate_constant(*this, frame, rows) : evaluate_varying(*this, frame, rows);
}

std::unique_ptr<EvalNode> make_eval_node(const TypedExprPtr& expr) {
  auto node = std::make_unique<EvalNode>();
  node->expr = expr;
  node->constant = deterministic(*expr);
  for (const TypedExprPtr& arg : expr->args) {
    node->children.push_back(make_eval_node(arg));
    node->constant = node->constant && node->children.back()->constant;
  }
  return node;
}

ColumnPtr null_constant(const DataType& type) {
  auto column = make_column(type);
  column->resize(1);
  if (is_nested_layout(column->type())) {
    if (column->type() == PhysicalType::kList) column->offsets().assign(2, 0);
    for (size_t i = 0; i < type.children.size() && column->type() == PhysicalType::kStruct; ++i) {
      column->children()[i] = null_constant(*type.children[i]);
    }
  }
  column->set_null(0);
  return column;
}

std::shared_ptr<Column> result_column(const DataType& type, uint32_t length) {
  auto column = make_column(type);
  if (!is_nested_layout(column->type())) column->resize(length);
  return column;
}

ColumnPtr spread_constant(const Column& constant, const DataType& type, uint32_t length, EvalRows rows) {
  auto column = make_column(type);
  if (is_nested_layout(column->type())) {
    for (uint32_t row = 0; row < length; ++row) append_rows(constant, nullptr, 1, *column, nullptr);
    return column;
  }
  column->resize(length);
  if (constant.is_null(0)) {
    for (uint32_t row : rows) column->set_null(row);
    return column;
  }
  auto fill = [&]<class T>(T value) {
    T* values = column->values<T>();
    for_rows(rows, [&](uint32_t row) { values[row] = value; });
  };
  switch (column->type()) {
    case PhysicalType::kBool:
      fill(*constant.values<uint8_t>());
      break;
    case PhysicalType::kInt32:
      fill(*constant.values<int32_t>());
      break;
    case PhysicalType::kInt64:
      fill(*constant.values<int64_t>());
      break;
    case PhysicalType::kFloat:
      fill(*constant.values<float>());
      break;
    case PhysicalType::kDouble:
      fill(*constant.values<double>());
      break;
    case PhysicalType::kInt128:
      fill(*constant.values<int128>());
      break;
    default:
      fill(*constant.values<StringRef>());
      break;
  }
  return column;
}

std::shared_ptr<Column> literal_column(const DataType& type, const Literal& literal, Arena& arena) {
  if (std::holds_alternative<std::monostate>(literal)) return std::const_pointer_cast<Column>(null_constant(type));
  auto column = make_column(type);
  column->resize(1);
  switch (column->type()) {
    case PhysicalType::kBool:
      *column->values<uint8_t>() = std::get<bool>(literal) ? 1 : 0;
      break;
    case PhysicalType::kInt32:
      *column->values<int32_t>() = static_cast<int32_t>(std::get<int64_t>(literal));
      break;
    case PhysicalType::kInt64:
      *column->values<int64_t>() = std::get<int64_t>(literal);
      break;
    case PhysicalType::kFloat:
      *column->values<float>() = static_cast<float>(std::get<double>(literal));
      break;
    case PhysicalType::kDouble:
      *column->values<double>() = std::get<double>(literal);
      break;
    case PhysicalType::kInt128:
      *column->values<int128>() = std::get<int128>(literal);
      break;
    case PhysicalType::kString:
      *column->values<StringRef>() = arena.copy(std::get<std::string>(literal));
      break;
    default:
      column->set_null(0);
      break;
  }
  return column;
}

void selected_rows(const Batch& batch, std::vector<uint32_t>& rows) {
  if (batch.selection) {
    rows = *batch.selection;
    return;
  }
  rows.resize(batch.rows);
  std::iota(rows.begin(), rows.end(), 0U);
}

Evaluator::Evaluator() = default;
Evaluator::~Evaluator() = default;

Result<std::unique_ptr<Evaluator>> Evaluator::make(std::vector<TypedExprPtr> exprs) {
  auto evaluator = std::unique_ptr<Evaluator>(new Evaluator());
  for (const TypedExprPtr& expr : exprs) evaluator->roots_.push_back(make_eval_node(expr));
  return evaluator;
}

void Evaluator::evaluate(const Batch& batch, std::span<const uint32_t> rows, std::vector<ColumnPtr>& out,
                         const ArenaPtr& arena, RowErrors& errors, const EvalContext& context) {
  EvalFrame frame{batch, batch.rows, *arena, errors, context};
  for (const auto& root : roots_) {
    EvalValue value = root->evaluate(frame, rows);
    if (value.constant) value.column = spread_constant(*value.column, *root->expr->type, batch.rows, rows);
    out.push_back(std::move(value.column));
  }
}

void Evaluator::evaluate(const Batch& batch, std::vector<ColumnPtr>& out, const ArenaPtr& arena, RowErrors& errors,
                         const EvalContext& context) {
  selected_rows(batch, rows_);
  evaluate(batch, rows_, out, arena, errors, context);
}

Predicate::Predicate() = default;
Predicate::~Predicate() = default;

Result<std::unique_ptr<Predicate>> Predicate::make(TypedExprPtr condition) {
  if (condition->type->kind != TypeKind::kBoolean) {
    return make_error(ErrorCode::kInternal, "a predicate must be BOOLEAN, this is " + condition->type->to_string());
  }
  auto predicate = std::unique_ptr<Predicate>(new Predicate());
  // A conjunction filters step by step: each part sees only the rows that the parts before let through.
  std::vector<TypedExprPtr> pending = {std::move(condition)};
  while (!pending.empty()) {
    TypedExprPtr part = std::move(pending.back());
    pending.pop_back();
    if (part->kind == ExprKind::kAnd) {
      pending.push_back(part->args[1]);
      pending.push_back(part->args[0]);
    } else {
      predicate->conjuncts_.push_back(make_eval_node(part));
    }
  }
  return predicate;
}

void Predicate::filter(const Batch& batch, std::vector<uint32_t>& selected, RowErrors& errors,
                       const EvalContext& context) {
  // Results of functions live only as long as the call, so the arena is given back when it has grown.
  constexpr size_t kScratchMax = 1024 * 1024;
  if (!scratch_ || scratch_->bytes() > kScratchMax) scratch_ = std::make_shared<Arena>();
  EvalFrame frame{batch, batch.rows, *scratch_, errors, context};
  for (const auto& part : conjuncts_) {
    if (selected.empty()) return;
    EvalValue value = part->evaluate(frame, selected);
    if (value.constant) {
      if (value.column->is_null(0) || value.column->values<uint8_t>()[0] == 0) selected.clear();
      continue;
    }
    const uint8_t* truth = value.column->values<uint8_t>();
    const uint8_t* nulls = value.column->nulls();
    size_t kept = 0;
    uint32_t* rows = selected.data();
    if (nulls == nullptr) {
      for (size_t i = 0, n = selected.size(); i < n; ++i) {
        uint32_t row = rows[i];
        rows[kept] = row;
        kept += truth[row] & 1U;
      }
    } else {
      for (size_t i = 0, n = selected.size(); i < n; ++i) {
        uint32_t row = rows[i];
        rows[kept] = row;
        kept += truth[row] & 1U & static_cast<unsigned>(nulls[row] == 0);
      }
    }
    selected.resize(kept);
  }
  if (!errors.empty()) {
    std::erase_if(selected, [&](uint32_t row) { return errors.contains(row); });
  }
}

}  // namespace millrace
