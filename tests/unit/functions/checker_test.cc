#include <catch2/catch.hpp>

#include "tests/unit/functions/expression_kit.h"

namespace millrace {

namespace {

Scope checked_scope() {
  Scope scope;
  scope.columns = {{"bids", "price", *parse_type("DECIMAL(10,2)")},
                   {"bids", "bidder", *parse_type("BIGINT NOT NULL")},
                   {"bids", "bid", *parse_type("ROW<auction BIGINT, tag STRING>")},
                   {"people", "id", *parse_type("BIGINT")}};
  scope.parameters = {{"min_price", make_type(TypeKind::kInt, false), Literal{int64_t{5}}}};
  return scope;
}

std::string type_of_expression(std::string_view text) {
  auto typed = compile_expression(text, checked_scope(), all_functions());
  if (!typed) return std::string(error_info(typed.error().code).code) + ": " + typed.error().message;
  return (*typed)->type->to_string() + ((*typed)->type->nullable ? "" : " NOT NULL");
}

ExprError error_of_expression(std::string_view text) {
  auto typed = compile_expression(text, checked_scope(), all_functions());
  return typed ? ExprError{} : typed.error();
}

}  // namespace

TEST_CASE("names resolve to columns, qualified columns and fields") {
  CHECK(type_of_expression("price") == "DECIMAL(10, 2)");
  CHECK(type_of_expression("people.id") == "BIGINT");
  CHECK(type_of_expression("bid.tag") == "STRING");
  CHECK(type_of_expression("bid['auction']") == "BIGINT");
  CHECK(type_of_expression("price > $min_price") == "BOOLEAN");
}

TEST_CASE("a misspelt name gets the nearest one and a caret") {
  ExprError error = error_of_expression("1 + pirce");
  CHECK(error.code == ErrorCode::kUnknownColumn);
  CHECK(error.begin == 4);
  CHECK(error.end == 9);
  CHECK(error.help.find("`price`") != std::string::npos);
  CHECK(error_of_expression("UPER('x')").help.find("`UPPER`") != std::string::npos);
  CHECK(error_of_expression("bid.tagg = 'x'").help.find("`tag`") != std::string::npos);
  CHECK(error_of_expression("$min_prise").help.find("`$min_price`") != std::string::npos);
}

TEST_CASE("what does not fit is refused with its types") {
  CHECK(type_of_expression("price + 'x'") == "E0205: + does not take (DECIMAL(10, 2), CHAR(1))");
  CHECK(type_of_expression("price AND TRUE") == "E0205: an operand of AND must be BOOLEAN, this is DECIMAL(10, 2)");
  CHECK(type_of_expression("SUM(price)") == "E0205: SUM is an aggregate; it stands in aggregate: only");
  CHECK(type_of_expression("REGEXP(bid.tag, '(?=x)')").starts_with("E0207"));
  CHECK(type_of_expression("CASE WHEN TRUE THEN 1 ELSE 'a' END").starts_with("E0205"));
  CHECK(type_of_expression("CURRENT_WATERMARK()").starts_with("E0205"));
}

TEST_CASE("nullability follows the arguments") {
  CHECK(type_of_expression("bidder + 1") == "BIGINT NOT NULL");
  CHECK(type_of_expression("bidder + NULL") == "BIGINT");
  CHECK(type_of_expression("COALESCE(price, 0)") == "DECIMAL(12, 2) NOT NULL");
  CHECK(type_of_expression("price IS NULL") == "BOOLEAN NOT NULL");
}

TEST_CASE("a condition must be BOOLEAN") {
  CHECK(compile_predicate("price > 1", checked_scope(), all_functions()));
  CHECK_FALSE(compile_predicate("price", checked_scope(), all_functions()));
  CHECK(compile_predicate("NULL", checked_scope(), all_functions()));
}

TEST_CASE("an aggregate entry is its calls and an expression over their results") {
  Scope keys;
  keys.columns = {{"", "bidder", *parse_type("BIGINT")}};
  auto entry = compile_aggregate("SUM(price) FILTER (WHERE bidder > 5) / COUNT(*) + bidder", checked_scope(), keys, 2,
                                 all_functions());
  REQUIRE(entry);
  REQUIRE(entry->calls.size() == 2);
  CHECK(entry->calls[0].name == "SUM");
  CHECK(entry->calls[0].filter);
  CHECK(entry->calls[1].args.empty());
  std::vector<uint32_t> columns;
  collect_columns(*entry->result, columns);
  CHECK(columns == std::vector<uint32_t>{0, 3, 4});
}

TEST_CASE("a column outside of aggregates must be a key") {
  Scope keys;
  auto entry = compile_aggregate("COUNT(*) + price", checked_scope(), keys, 0, all_functions());
  REQUIRE_FALSE(entry);
  CHECK(entry.error().message == "column `price` is neither a key nor inside an aggregate");
  CHECK_FALSE(compile_aggregate("SUM(COUNT(*))", checked_scope(), keys, 0, all_functions()));
}

TEST_CASE("a single call is a bare column of the result scope") {
  auto entry = compile_aggregate("COUNT(DISTINCT bidder)", checked_scope(), Scope{}, 0, all_functions());
  REQUIRE(entry);
  CHECK(entry->calls[0].distinct);
  CHECK(entry->result->kind == ExprKind::kColumn);
}

}  // namespace millrace
