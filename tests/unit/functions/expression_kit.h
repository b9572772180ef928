// Evaluates expressions over small batches and shows the results as text.
#pragma once

#include "data/batch.h"
#include "functions/register_all.h"
#include "plan/expr/expression.h"
#include "runtime/expr/cast.h"
#include "runtime/expr/evaluator.h"

namespace millrace {

inline const FunctionRegistry& all_functions() {
  static const FunctionRegistry registry = [] {
    FunctionRegistry filled;
    register_all_functions(filled);
    return filled;
  }();
  return registry;
}

/// Columns a INT, b INT, s STRING, ok BOOLEAN; NULL where the optional is empty.
struct ExpressionRows {
  Schema schema{{{"a", *parse_type("INT")},
                 {"b", *parse_type("INT")},
                 {"s", *parse_type("STRING")},
                 {"ok", *parse_type("BOOLEAN")}}};
  Batch batch;
  ArenaPtr arena = std::make_shared<Arena>();
  RowErrors errors;

  void add(std::optional<int> a, std::optional<int> b, std::optional<std::string> s = {}, std::optional<bool> ok = {}) {
    auto literal = [](const auto& value) { return value ? Literal{*value} : Literal{}; };
    Literal values[] = {a ? Literal{int64_t{*a}} : Literal{}, b ? Literal{int64_t{*b}} : Literal{}, literal(s),
                        literal(ok)};
    if (columns_.empty()) {
      for (const Field& field : schema.fields) columns_.push_back(make_column(*field.type));
    }
    for (size_t i = 0; i < 4; ++i) {
      append_rows(*literal_column(*schema.fields[i].type, values[i], *arena), nullptr, 1, *columns_[i], nullptr);
    }
    ++batch.rows;
    batch.columns.assign(columns_.begin(), columns_.end());
  }

  /// "1|NULL|x": one value per selected row, or "error: …" when the text is refused.
  std::string show(std::string_view text) {
    auto typed = compile_expression(text, Scope::of(schema), all_functions());
    if (!typed) return "error: " + typed.error().message;
    auto evaluator = Evaluator::make({*typed});
    std::vector<ColumnPtr> out;
    errors.clear();
    (*evaluator)->evaluate(batch, out, arena, errors);
    std::string shown;
    for_each_row(batch, [&](uint32_t row) {
      if (!shown.empty()) shown += "|";
      append_cast_text(shown, *(*typed)->type, *out[0], row);
    });
    return shown;
  }

  std::vector<uint32_t> filter(std::string_view text) {
    auto typed = compile_predicate(text, Scope::of(schema), all_functions());
    auto predicate = Predicate::make(*typed);
    std::vector<uint32_t> rows;
    selected_rows(batch, rows);
    errors.clear();
    (*predicate)->filter(batch, rows, errors);
    return rows;
  }

  std::vector<std::shared_ptr<Column>> columns_;
};

}  // namespace millrace
