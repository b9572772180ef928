#include "plan/expr/ast_text.h"

#include <catch2/catch.hpp>

namespace millrace {

namespace {

std::string spelled(std::string_view text) {
  const auto ast = parse_expression(text);
  REQUIRE(ast);
  return ast_text(**ast);
}

}  // namespace

TEST_CASE("One call has one spelling, whatever stands between its words") {
  REQUIRE(spelled("SUM( amount )") == "SUM(amount)");
  REQUIRE(spelled("sum(amount)") == "SUM(amount)");
  REQUIRE(spelled("COUNT(*)") == "COUNT(*)");
  REQUIRE(spelled("count( DISTINCT a.b )") == "COUNT(DISTINCT a.b)");
  REQUIRE(spelled("SUM(a*2) filter (where b>1)") == spelled("SUM(a * 2) FILTER (WHERE b > 1)"));
}

TEST_CASE("Calls that compute different things are spelled differently") {
  const char* texts[] = {"SUM(a)",
                         "SUM(b)",
                         "SUM(a + 1)",
                         "SUM(a + 2)",
                         "SUM(a - 1)",
                         "SUM(DISTINCT a)",
                         "SUM(CAST(a AS INT))",
                         "SUM(CAST(a AS BIGINT))",
                         "SUM(a) FILTER (WHERE b = 'x')",
                         "SUM(a) FILTER (WHERE b = 'y')",
                         "SUM(1.5)",
                         "SUM(15)",
                         "SUM((a + b) * c)",
                         "SUM(a + b * c)",
                         "SUM($limit)",
                         "SUM(TRUE)",
                         "SUM(NULL)",
                         "SUM(CASE WHEN a > 1 THEN b ELSE c END)",
                         "SUM(CASE WHEN a > 1 THEN c ELSE b END)"};
  for (const char* one : texts) {
    for (const char* other : texts) {
      INFO(one << " and " << other);
      REQUIRE((one == other) == (spelled(one) == spelled(other)));
    }
  }
}

}  // namespace millrace
