// AND, OR, NOT, IS NULL, CASE and COALESCE: the nodes that decide which rows their operands see.
#include "runtime/expr/node.h"
#include "runtime/spi/kernel.h"

namespace millrace {

namespace {

bool is_fixed_width(const Column& column) {
  return column.type() != PhysicalType::kList && column.type() != PhysicalType::kStruct;
}

template <class T>
void copy_values(const EvalValue& from, EvalRows rows, Column& out) {
  ArgReader<T> source(*from.column, from.constant);
  T* target = out.values<T>();
  for_rows(rows, [&](uint32_t row) { target[row] = source[row]; });
}

/// Copies values and NULLs of `rows`. Fixed-width layouts only.
void copy_rows(const EvalValue& from, EvalRows rows, Column& out) {
  switch (out.type()) {
    case PhysicalType::kBool:
      copy_values<uint8_t>(from, rows, out);
      break;
    case PhysicalType::kInt32:
    case PhysicalType::kFloat:
      copy_values<uint32_t>(from, rows, out);
      break;
    case PhysicalType::kInt64:
    case PhysicalType::kDouble:
      copy_values<uint64_t>(from, rows, out);
      break;
    case PhysicalType::kInt128:
      copy_values<int128>(from, rows, out);
      break;
    default:
      copy_values<StringRef>(from, rows, out);
      break;
  }
  if (!from.column->has_nulls()) return;
  for (uint32_t row : rows) {
    if (from.is_null(row)) out.set_null(row);
  }
}

/// Puts branches together: each row of the result comes from one of several values.
class Merger {
 public:
  Merger(const DataType& type, uint32_t length) : type_(type), length_(length), out_(result_column(type, length)) {
    if (!is_fixed_width(*out_)) source_.assign(length, kNone);
  }

  void take(const EvalValue& value, EvalRows rows) {
    if (is_fixed_width(*out_)) {
      copy_rows(value, rows, *out_);
      return;
    }
    for (uint32_t row : rows) source_[row] = static_cast<uint32_t>(values_.size());
    values_.push_back(value);
  }

  ColumnPtr finish() {
    if (is_fixed_width(*out_)) return out_;
    ColumnPtr nothing = null_constant(type_);
    for (uint32_t row = 0; row < length_; ++row) {
      if (source_[row] == kNone) {
        append_rows(*nothing, nullptr, 1, *out_, nullptr);
        continue;
      }
      const EvalValue& value = values_[source_[row]];
      uint32_t at = value.constant ? 0 : row;
      append_rows(*value.column, &at, 1, *out_, nullptr);
    }
    return out_;
  }

 private:
  static constexpr uint32_t kNone = UINT32_MAX;
  const DataType& type_;
  uint32_t length_;
  std::shared_ptr<Column> out_;
  std::vector<EvalValue> values_;
  std::vector<uint32_t> source_;
};

/// 0 false, 1 true, 2 unknown.
uint8_t truth_at(const EvalValue& value, uint32_t row) {
  uint32_t at = value.constant ? 0 : row;
  return value.column->is_null(at) ? uint8_t{2} : static_cast<uint8_t>(value.column->values<uint8_t>()[at] & 1U);
}

}  // namespace

EvalValue evaluate_and_or(EvalNode& node, EvalFrame& frame, EvalRows rows) {
  // The value that decides alone: FALSE for AND, TRUE for OR.
  const uint8_t decisive = node.expr->kind == ExprKind::kAnd ? 0 : 1;
  EvalValue left = node.children[0]->evaluate(frame, rows);
  if (left.constant) {
    uint8_t truth = truth_at(left, 0);
    if (truth == decisive) return left;
    if (truth != 2) return node.children[1]->evaluate(frame, rows);
  }
  auto out = result_column(*node.expr->type, frame.length);
  uint8_t* values = out->values<uint8_t>();
  std::vector<uint32_t> undecided;
  undecided.reserve(rows.size());
  for (uint32_t row : rows) {
    if (truth_at(left, row) == decisive) {
      values[row] = decisive;
    } else {
      undecided.push_back(row);
    }
  }
  if (undecided.empty()) return {out, false};
  EvalValue right = node.children[1]->evaluate(frame, undecided);
  for (uint32_t row : undecided) {
    uint8_t b = truth_at(right, row);
    if (b == decisive) {
      values[row] = decisive;
    } else if (b == 2 || truth_at(left, row) == 2) {
      out->set_null(row);
    } else {
      values[row] = static_cast<uint8_t>(1 - decisive);
    }
  }
  return {out, false};
}

EvalValue evaluate_not(EvalNode& node, EvalFrame& frame, EvalRows rows) {
  EvalValue operand = node.children[0]->evaluate(frame, rows);
  static constexpr uint32_t kRow0[] = {0};
  EvalRows targets = operand.constant ? EvalRows(kRow0) : rows;
  auto out = result_column(*node.expr->type, operand.constant ? 1 : frame.length);
  const uint8_t* source = operand.column->values<uint8_t>();
  uint8_t* values = out->values<uint8_t>();
  for_rows(targets, [&](uint32_t row) { values[row] = static_cast<uint8_t>((source[row] & 1U) ^ 1U); });
  if (operand.column->has_nulls()) {
    for (uint32_t row : targets) {
      if (operand.column->is_null(row)) out->set_null(row);
    }
  }
  return {out, operand.constant};
}

EvalValue evaluate_is_null(EvalNode& node, EvalFrame& frame, EvalRows rows) {
  EvalValue operand = node.children[0]->evaluate(frame, rows);
  static constexpr uint32_t kRow0[] = {0};
  EvalRows targets = operand.constant ? EvalRows(kRow0) : rows;
  auto out = result_column(*node.expr->type, operand.constant ? 1 : frame.length);
  uint8_t* values = out->values<uint8_t>();
  const uint8_t* nulls = operand.column->nulls();
  if (nulls == nullptr) {
    for_rows(targets, [&](uint32_t row) { values[row] = 0; });
  } else {
    for_rows(targets, [&](uint32_t row) { values[row] = nulls[row] != 0 ? 1 : 0; });
  }
  return {out, operand.constant};
}

EvalValue evaluate_case(EvalNode& node, EvalFrame& frame, EvalRows rows) {
  Merger merger(*node.expr->type, frame.length);
  std::vector<uint32_t> rest(rows.begin(), rows.end());
  std::vector<uint32_t> hit;
  for (size_t i = 0; i + 1 < node.children.size() && !rest.empty(); i += 2) {
    EvalValue condition = node.children[i]->evaluate(frame, rest);
    if (condition.constant && truth_at(condition, 0) != 1) continue;
    hit.clear();
    size_t kept = 0;
    for (uint32_t row : rest) {
      if (truth_at(condition, row) == 1) {
        hit.push_back(row);
      } else {
        rest[kept++] = row;
      }
    }
    rest.resize(kept);
    if (hit.empty()) continue;
    if (hit.size() == rows.size()) return node.children[i + 1]->evaluate(frame, rows);
    merger.take(node.children[i + 1]->evaluate(frame, hit), hit);
  }
  if (rest.size() == rows.size()) return node.children.back()->evaluate(frame, rows);
  if (!rest.empty()) merger.take(node.children.back()->evaluate(frame, rest), rest);
  return {merger.finish(), false};
}

EvalValue evaluate_coalesce(EvalNode& node, EvalFrame& frame, EvalRows rows) {
  EvalValue first = node.children[0]->evaluate(frame, rows);
  if (!first.column->has_nulls() || (first.constant && !first.column->is_null(0))) return first;
  Merger merger(*node.expr->type, frame.length);
  std::vector<uint32_t> rest(rows.begin(), rows.end());
  std::vector<uint32_t> hit;
  for (size_t i = 0; i < node.children.size() && !rest.empty(); ++i) {
    EvalValue value = i == 0 ? first : node.children[i]->evaluate(frame, rest);
    if (i + 1 == node.children.size()) {
      if (rest.size() == rows.size()) return value;
      merger.take(value, rest);
      break;
    }
    hit.clear();
    size_t kept = 0;
    for (uint32_t row : rest) {
      // A row that failed is NULL and marked; the later branches must not hide that, nor be asked.
      if (value.is_null(row) && !frame.errors.contains(row)) {
        rest[kept++] = row;
      } else {
        hit.push_back(row);
      }
    }
    rest.resize(kept);
    if (!hit.empty()) merger.take(value, hit);
  }
  return {merger.finish(), false};
}

}  // namespace millrace
