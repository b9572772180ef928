#include <catch2/catch.hpp>

#include "tests/unit/functions/expression_kit.h"

namespace millrace {

namespace {

ExpressionRows sample_rows() {
  ExpressionRows rows;
  rows.add(1, 10, "x", true);
  rows.add(2, 0, "yy", false);
  rows.add({}, 5, {}, {});
  rows.add(4, {}, "", true);
  return rows;
}

}  // namespace

TEST_CASE("a column reference is the batch's own column") {
  ExpressionRows rows = sample_rows();
  auto evaluator = Evaluator::make({*compile_expression("a", Scope::of(rows.schema), all_functions())});
  std::vector<ColumnPtr> out;
  (*evaluator)->evaluate(rows.batch, out, rows.arena, rows.errors);
  CHECK(out[0].get() == rows.batch.columns[0].get());
}

TEST_CASE("NULL goes through arithmetic and comparison") {
  ExpressionRows rows = sample_rows();
  CHECK(rows.show("a + b") == "11|2|NULL|NULL");
  CHECK(rows.show("a > 1") == "FALSE|TRUE|NULL|TRUE");
  CHECK(rows.show("a IS NULL") == "FALSE|FALSE|TRUE|FALSE");
  CHECK(rows.show("a IS NOT DISTINCT FROM NULL") == "FALSE|FALSE|TRUE|FALSE");
}

TEST_CASE("AND and OR are three-valued") {
  ExpressionRows rows = sample_rows();
  CHECK(rows.show("a > 1 AND b > 1") == "FALSE|FALSE|NULL|NULL");
  CHECK(rows.show("a > 1 OR b > 1") == "TRUE|TRUE|TRUE|TRUE");
  CHECK(rows.show("NOT (a > 1)") == "TRUE|FALSE|NULL|FALSE");
  CHECK(rows.show("a IN (1, 4, NULL)") == "TRUE|NULL|NULL|TRUE");
  CHECK(rows.show("a NOT IN (1, 4)") == "FALSE|TRUE|NULL|FALSE");
}

TEST_CASE("decided rows do not reach the other operand") {
  ExpressionRows rows = sample_rows();
  CHECK(rows.show("b <> 0 AND a / b >= 0") == "TRUE|FALSE|NULL|NULL");
  CHECK(rows.errors.empty());
  CHECK(rows.show("b = 0 OR a / b >= 0") == "TRUE|TRUE|NULL|NULL");
  CHECK(rows.errors.empty());
}

TEST_CASE("CASE and COALESCE evaluate a branch only where it is taken") {
  ExpressionRows rows = sample_rows();
  CHECK(rows.show("CASE WHEN b = 0 THEN -1 ELSE a * 10 / b END") == "1|-1|NULL|NULL");
  CHECK(rows.errors.empty());
  CHECK(rows.show("COALESCE(a, 100 / b)") == "1|2|20|4");
  CHECK(rows.errors.empty());
  CHECK(rows.show("CASE WHEN ok THEN s ELSE 'no' END") == "x|no|no|");
  CHECK(rows.show("CASE WHEN ok THEN SPLIT(s, '') END") == "[x]|NULL|NULL|[]");
}

TEST_CASE("a failing row is marked and NULL, the others go on") {
  ExpressionRows rows = sample_rows();
  CHECK(rows.show("a / b") == "0|NULL|NULL|NULL");
  REQUIRE(rows.errors.rows().size() == 1);
  CHECK(rows.errors.rows()[0].first == 1);
  CHECK(rows.errors.rows()[0].second == "division by zero");
  CHECK(rows.show("CAST(s AS INT)") == "NULL|NULL|NULL|NULL");
  CHECK(rows.errors.rows().size() == 3);
  CHECK(rows.show("TRY_CAST(s AS INT)") == "NULL|NULL|NULL|NULL");
  CHECK(rows.errors.empty());
}

TEST_CASE("a constant that fails marks every row that asks for it") {
  ExpressionRows rows = sample_rows();
  CHECK(rows.show("1 / 0 + a") == "NULL|NULL|NULL|NULL");
  CHECK(rows.errors.rows().size() == 4);
  CHECK(rows.show("CASE WHEN a = 1 THEN 1 / 0 ELSE a END") == "NULL|2|NULL|4");
  CHECK(rows.errors.rows().size() == 1);
}

TEST_CASE("only selected rows are computed") {
  ExpressionRows rows = sample_rows();
  rows.batch.selection = std::make_shared<const std::vector<uint32_t>>(std::vector<uint32_t>{0, 3});
  CHECK(rows.show("10 / a") == "10|2");
  CHECK(rows.show("a / b") == "0|NULL");
  CHECK(rows.errors.empty());
  CHECK(rows.show("UPPER(s) || '!'") == "X!|!");
}

TEST_CASE("a predicate keeps the rows that are TRUE") {
  ExpressionRows rows = sample_rows();
  CHECK(rows.filter("a > 1") == std::vector<uint32_t>{1, 3});
  CHECK(rows.filter("ok AND a < 4") == std::vector<uint32_t>{0});
  CHECK(rows.filter("s LIKE '%y'") == std::vector<uint32_t>{1});
  CHECK(rows.filter("TRUE") == std::vector<uint32_t>{0, 1, 2, 3});
  CHECK(rows.filter("NULL").empty());
  CHECK(rows.filter("a / b < 5") == std::vector<uint32_t>{0});
  CHECK(rows.errors.rows().size() == 1);
}

TEST_CASE("results outlive the evaluator") {
  ExpressionRows rows = sample_rows();
  std::vector<ColumnPtr> out;
  {
    auto typed = compile_expression("CASE WHEN a = 1 THEN SUBSTRING('constant text', 3) ELSE 'other' END",
                                    Scope::of(rows.schema), all_functions());
    auto evaluator = Evaluator::make({*typed});
    (*evaluator)->evaluate(rows.batch, out, rows.arena, rows.errors);
  }
  CHECK(out[0]->values<StringRef>()[0].view() == "nstant text");
  CHECK(out[0]->values<StringRef>()[1].view() == "other");
}

TEST_CASE("the watermark is NULL until there is one") {
  Scope scope;
  scope.allow_watermark = true;
  auto evaluator = Evaluator::make({*compile_expression("CURRENT_WATERMARK()", scope, all_functions())});
  Batch batch;
  batch.rows = 1;
  RowErrors errors;
  std::vector<ColumnPtr> out;
  ArenaPtr arena = std::make_shared<Arena>();
  (*evaluator)->evaluate(batch, out, arena, errors);
  CHECK(out[0]->is_null(0));
  EvalContext context;
  context.watermark = 1234;
  (*evaluator)->evaluate(batch, out, arena, errors, context);
  CHECK(out[1]->values<int64_t>()[0] == 1234);
}

}  // namespace millrace
