#include <catch2/catch.hpp>

#include "plan/expr/ast.h"
#include "plan/expr/expression.h"
#include "plan/expr/lexer.h"

namespace millrace {

namespace {

/// The tree in prefix form: (+ 1 (* 2 3)).
std::string shown_tree(const Ast& ast) {
  std::string text;
  switch (ast.kind) {
    case AstKind::kLiteral:
      if (const auto* integer = std::get_if<int64_t>(&ast.literal)) return std::to_string(*integer);
      if (const auto* string = std::get_if<std::string>(&ast.literal)) return "'" + *string + "'";
      return ast.type->to_string();
    case AstKind::kName:
      for (const std::string& part : ast.path) text += (text.empty() ? "" : ".") + part;
      return text;
    case AstKind::kParameter:
      return "$" + ast.name;
    case AstKind::kCall:
      text = ast.name;
      break;
    case AstKind::kCase:
      text = "CASE";
      break;
    case AstKind::kCast:
      text = (ast.try_cast ? "TRY " : "") + ast.type->to_string();
      break;
    case AstKind::kField:
      text = "." + ast.name;
      break;
  }
  for (const AstPtr& arg : ast.args) text += " " + (arg ? shown_tree(*arg) : std::string("-"));
  return "(" + text + ")";
}

std::string tree_of(std::string_view text) {
  auto ast = parse_expression(text);
  return ast ? shown_tree(**ast)
             : "error " + std::to_string(ast.error().begin) + ".." + std::to_string(ast.error().end);
}

}  // namespace

TEST_CASE("operators bind as in SQL") {
  CHECK(tree_of("1 + 2 * 3") == "(+ 1 (* 2 3))");
  CHECK(tree_of("10 - 4 - 3") == "(- (- 10 4) 3)");
  CHECK(tree_of("a OR b AND NOT c = d") == "(OR a (AND b (NOT (= c d))))");
  CHECK(tree_of("a == 1 AND b != 2") == "(AND (= a 1) (<> b 2))");
  CHECK(tree_of("a ?? 0 > 5") == "(> (COALESCE a 0) 5)");
  CHECK(tree_of("a = b IS NULL") == "(IS NULL (= a b))");
  CHECK(tree_of("-x * y") == "(* (-x x) y)");
  CHECK(tree_of("a::BIGINT + 1") == "(+ (BIGINT a) 1)");
}

TEST_CASE("a sign in front of a number belongs to the literal") {
  CHECK(tree_of("-2147483648") == "-2147483648");
  auto ast = parse_expression("-2147483648");
  REQUIRE(ast);
  CHECK((*ast)->type->kind == TypeKind::kInt);
  CHECK(tree_of("3 - -4") == "(- 3 -4)");
}

TEST_CASE("special syntax becomes plain calls") {
  CHECK(tree_of("a NOT BETWEEN 1 AND 2 AND b") == "(AND (NOT (AND (>= a 1) (<= a 2))) b)");
  CHECK(tree_of("a NOT IN (1, 2)") == "(NOT (IN a 1 2))");
  CHECK(tree_of("a LIKE 'x%' ESCAPE '!'") == "(LIKE a 'x%' '!')");
  CHECK(tree_of("EXTRACT(DAY FROM ts)") == "(EXTRACT 'DAY' ts)");
  CHECK(tree_of("FLOOR(ts TO HOUR)") == "(FLOOR TO ts 'HOUR')");
  CHECK(tree_of("TRIM(LEADING 'x' FROM s)") == "(TRIM LEADING 'x' s)");
  CHECK(tree_of("POSITION('a' IN s)") == "(POSITION 'a' s)");
  CHECK(tree_of("CASE a WHEN 1 THEN 2 END") == "(CASE a 1 2 -)");
  CHECK(tree_of("TRY_CAST(a AS DECIMAL(10, 2))") == "(TRY DECIMAL(10, 2) a)");
  CHECK(tree_of("bid.price['k'].x") == "(.x (ITEM bid.price 'k'))");
  CHECK(tree_of("price > $min") == "(> price $min)");
}

TEST_CASE("errors carry the bytes they are about") {
  CHECK(tree_of("a +") == "error 3..3");
  CHECK(tree_of("a + ) b") == "error 4..5");
  CHECK(tree_of("'abc") == "error 0..4");
  CHECK(tree_of("a b") == "error 2..3");
  CHECK(tree_of("CAST(a AS NOTYPE)") == "error 10..16");
  CHECK(tree_of("CASE WHEN a THEN 1") == "error 18..18");
  CHECK(tree_of("DATE '2019-02-29'") == "error 5..17");
}

TEST_CASE("texts keep quotes, comments vanish, backquotes make names") {
  auto tokens = tokenize_expression("'it''s' /* no */ `CASE` -- end");
  REQUIRE(tokens);
  REQUIRE(tokens->size() == 3);
  CHECK((*tokens)[0].text == "it's");
  CHECK((*tokens)[1].kind == TokenKind::kQuotedWord);
  CHECK((*tokens)[1].begin == 17);
}

TEST_CASE("hostile nesting is refused, not followed") {
  CHECK_FALSE(parse_expression(std::string(100'000, '(')));
  std::string chain = "1";
  for (int i = 0; i < 5000; ++i) chain += "+1";
  CHECK_FALSE(parse_expression(chain));
  CHECK_FALSE(parse_expression(std::string(5000, '-') + "x"));
}

}  // namespace millrace
