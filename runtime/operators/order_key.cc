#include "runtime/operators/order_key.h"

#include <bit>
#include <cmath>

#include "runtime/operators/binding.h"

namespace millrace {

namespace {

/// Splits `amount DESC` into the expression and the direction.
bool take_direction(std::string& text) {
  const auto ends_with_word = [&text](std::string_view word) {
    if (text.size() <= word.size() || text[text.size() - word.size() - 1] != ' ') return false;
    for (size_t i = 0; i < word.size(); ++i) {
      if ((text[text.size() - word.size() + i] & ~0x20) != word[i]) return false;
    }
    text.resize(text.size() - word.size() - 1);
    return true;
  };
  return !ends_with_word("ASC") && ends_with_word("DESC");
}

bool orderable(const DataType& type) {
  return type.kind != TypeKind::kArray && type.kind != TypeKind::kMap && type.kind != TypeKind::kRow &&
         type.kind != TypeKind::kVariant;
}

uint64_t double_bits(double value) {
  if (value == 0) value = 0;  // one zero
  const uint64_t bits = std::isnan(value) ? 0x7ff8000000000000U : std::bit_cast<uint64_t>(value);
  return (bits >> 63U) != 0 ? ~bits : bits | (uint64_t{1} << 63U);
}

}  // namespace

std::optional<OrderBy> bind_order_by(const BindContext& context, const Located& list) {
  OrderBy order;
  std::vector<Located> items = list.items;
  if (list.is_scalar()) items.push_back(list);
  const Scope scope = input_scope(context);
  bool ok = true;
  for (Located item : items) {
    const bool descending = take_direction(item.text);
    TypedExprPtr expression = bind_expression(context, item, scope);
    if (expression && !orderable(*expression->type)) {
      context.diagnostics->error(ErrorCode::kTypeMismatch, item.position,
                                 "rows cannot be ordered by a value of type " + expression->type->to_string());
      expression = nullptr;
    }
    ok = ok && expression != nullptr;
    order.expressions.push_back(std::move(expression));
    order.descending.push_back(descending);
  }
  if (!ok) return std::nullopt;
  return order;
}

std::string order_text(const Located& list) {
  std::string text = list.text;
  for (const Located& item : list.items) text += (text.empty() ? "" : ", ") + item.text;
  return text;
}

Result<std::unique_ptr<OrderKeys>> OrderKeys::make(const OrderBy& order) {
  auto keys = std::make_unique<OrderKeys>();
  MR_ASSIGN(keys->evaluator_, Evaluator::make(order.expressions));
  keys->descending_ = order.descending;
  return keys;
}

Status OrderKeys::start(const Batch& batch) {
  columns_.clear();
  RowErrors errors;
  evaluator_->evaluate(batch, columns_, std::make_shared<Arena>(), errors);
  if (errors.empty()) return {};
  return make_error(ErrorCode::kEvaluation, "the order of a row: " + errors.rows().front().second);
}

void OrderKeys::append(uint32_t row, std::string& out) const {
  for (size_t i = 0; i < columns_.size(); ++i) append_order_value(*columns_[i], row, descending_[i], out);
}

void append_order_number(uint64_t value, std::string& out) {
  for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> static_cast<unsigned>(shift)));
}

void append_order_value(const Column& column, uint32_t row, bool descending, std::string& out) {
  static constexpr uint64_t kSign = uint64_t{1} << 63U;
  const size_t begin = out.size();
  if (column.is_null(row)) {
    out.push_back(0);
  } else {
    out.push_back(1);
    switch (column.type()) {
      case PhysicalType::kBool:
        out.push_back(static_cast<char>(column.values<uint8_t>()[row]));
        break;
      case PhysicalType::kInt32:
        append_order_number(static_cast<uint64_t>(int64_t{column.values<int32_t>()[row]}) ^ kSign, out);
        break;
      case PhysicalType::kInt64:
        append_order_number(static_cast<uint64_t>(column.values<int64_t>()[row]) ^ kSign, out);
        break;
      case PhysicalType::kFloat:
        append_order_number(double_bits(static_cast<double>(column.values<float>()[row])), out);
        break;
      case PhysicalType::kDouble:
        append_order_number(double_bits(column.values<double>()[row]), out);
        break;
      case PhysicalType::kInt128: {
        const int128 value = column.values<int128>()[row];
        append_order_number(static_cast<uint64_t>(value >> 64) ^ kSign, out);
        append_order_number(static_cast<uint64_t>(value), out);
        break;
      }
      case PhysicalType::kString:
        // A zero byte inside is written as 0 255, so that the end, 0 0, is smaller than anything that follows.
        for (const char c : column.values<StringRef>()[row].view()) {
          out.push_back(c);
          if (c == 0) out.push_back(static_cast<char>(0xff));
        }
        out.append(2, '\0');
        break;
      case PhysicalType::kList:
      case PhysicalType::kStruct:
        break;  // refused when binding
    }
  }
  if (!descending) return;
  for (size_t i = begin; i < out.size(); ++i) out[i] = static_cast<char>(~out[i]);
}

}  // namespace millrace
