#include "tests/unit/operators/support.h"

namespace millrace {

namespace {

KitEvent price_row(int n, int price, int64_t time) {
  return kit_row("{\"symbol\":\"a\",\"n\":" + std::to_string(n) + ",\"price\":" + std::to_string(price) + "}", time);
}

KitCase pattern_case(const std::string& fields, const std::vector<int>& prices) {
  KitCase test;
  test.step = "id: p\nkey_by: [symbol]\npattern:\n" + fields;
  test.inputs = {"symbol STRING, n INT, price INT"};
  for (size_t i = 0; i < prices.size(); ++i) {
    const int number = static_cast<int>(i);
    test.events.push_back(price_row(number, prices[i], 10 * number));
    if (i % 3 == 2) test.events.push_back(kit_watermark(10 * number));
  }
  test.events.push_back(kit_end());
  return test;
}

std::string pattern_match(const std::string& measures) { return R"({"symbol":"a",)" + measures + "}"; }

const char* const kShapeOfV = R"yaml(
  match: A DOWN+ UP+ E
  define:
    DOWN: DOWN.price < COALESCE(LAST(DOWN.price, 1), A.price)
    UP: UP.price > COALESCE(LAST(UP.price, 1), LAST(DOWN.price))
    E: E.price <= LAST(UP.price)
  measures: {first: A.n, bottom: LAST(DOWN.price), downs: COUNT(DOWN.n), last: E.n})yaml";

}  // namespace

TEST_CASE("a shape of rows is found once, and the search goes on behind it") {
  KitCase test = pattern_case(kShapeOfV, {9, 7, 5, 6, 8, 8, 7, 3, 4, 1});
  test.expect[""] = {pattern_match(R"("first":0,"bottom":5,"downs":2,"last":5)"),
                     pattern_match(R"("first":6,"bottom":3,"downs":1,"last":9)")};
  check_operator(test);
}

TEST_CASE("skip to next row finds what overlaps") {
  KitCase test =
      pattern_case(std::string(kShapeOfV) + "\n  after_match: skip to next row", {9, 7, 5, 6, 8, 8, 7, 3, 4, 1});
  test.expect[""] = {pattern_match(R"("first":0,"bottom":5,"downs":2,"last":5)"),
                     pattern_match(R"("first":1,"bottom":5,"downs":1,"last":5)"),
                     pattern_match(R"("first":5,"bottom":3,"downs":2,"last":9)"),
                     pattern_match(R"("first":6,"bottom":3,"downs":1,"last":9)")};
  check_operator(test);
}

TEST_CASE("skip to last of a variable begins again at that row") {
  KitCase test = pattern_case(std::string(kShapeOfV) + "\n  after_match: skip to last UP", {9, 5, 8, 4, 6, 2});
  test.expect[""] = {pattern_match(R"("first":0,"bottom":5,"downs":1,"last":3)"),
                     pattern_match(R"("first":2,"bottom":4,"downs":1,"last":5)")};
  check_operator(test);
}

TEST_CASE("a reluctant quantifier takes as few rows as possible") {
  KitCase test = pattern_case(R"yaml(
  match: A B*? C
  define: {A: A.price = 1, C: C.price = 2}
  measures: {first: A.n, between: COUNT(B.n), last: C.n})yaml",
                              {1, 5, 2, 2, 1, 2});
  test.expect[""] = {pattern_match(R"("first":0,"between":1,"last":2)"),
                     pattern_match(R"("first":4,"between":0,"last":5)")};
  check_operator(test);
}

TEST_CASE("a greedy variable leaves its rows to nobody") {
  KitCase test = pattern_case(R"yaml(
  match: A+ B
  define: {A: AVG(A.price) < 5}
  measures: {rows_of: COUNT(A.n), total: SUM(A.price), last: B.n})yaml",
                              {1, 2, 3, 50, 9, 1, 90});
  test.expect[""] = {pattern_match(R"("rows_of":3,"total":6,"last":3)"),
                     pattern_match(R"("rows_of":1,"total":1,"last":6)")};
  check_operator(test);
}

TEST_CASE("within: the last row comes less than that after the first") {
  const std::string fields = R"yaml(
  match: A B
  define: {A: A.price = 1, B: B.price = 2}
  measures: {first: A.n, last: B.n}
  within: )yaml";
  KitCase test = pattern_case(fields + "10ms", {1, 2});
  test.expect[""] = {};
  check_operator(test);
  test = pattern_case(fields + "11ms", {1, 2});
  test.expect[""] = {pattern_match(R"("first":0,"last":1)")};
  check_operator(test);
}

TEST_CASE("rows come in the order of event time, and late ones are set apart") {
  KitCase test =
      pattern_case("\n  match: A B\n  define: {A: A.price = 1, B: B.price = 2}\n  measures: {first: A.n}", {});
  test.events = {price_row(1, 2, 20), price_row(0, 1, 10), kit_watermark(30), price_row(2, 2, 30), kit_end()};
  test.expect[""] = {pattern_match(R"("first":0)")};
  test.expect["late"] = {R"({"symbol":"a","n":2,"price":2})"};
  check_operator(test);
}

namespace {

/// Variables A to E take the prices 1 to 5.
KitCase letters_case(const std::string& match, const std::vector<int>& prices, const std::string& more = "") {
  std::string define;
  for (size_t i = 0; i < 5; ++i) {
    const std::string name(1, "ABCDE"[i]);
    if (match.find(name) == std::string::npos) continue;
    define += (define.empty() ? "" : ", ") + name + ": " + name + ".price = " + std::to_string(i + 1);
  }
  const std::string count_b = match.find('B') == std::string::npos ? "0" : "COUNT(B.n)";
  return pattern_case("\n  match: " + match + "\n  define: {" + define +
                          "}\n  measures: {first: FIRST(n), last: LAST(n), a: COUNT(A.n), b: " + count_b + "}" + more,
                      prices);
}

std::string letters(int first, int last, int a, int b) {
  return pattern_match("\"first\":" + std::to_string(first) + ",\"last\":" + std::to_string(last) +
                       ",\"a\":" + std::to_string(a) + ",\"b\":" + std::to_string(b));
}

}  // namespace

TEST_CASE("alternatives: any of them, of any length") {
  KitCase test = letters_case("A (B | C D | E{2}) A*? A", {1, 2, 1, 1, 3, 4, 1, 1, 5, 1, 1, 5, 5, 1});
  test.expect[""] = {letters(0, 2, 2, 1), letters(3, 6, 2, 0), letters(10, 13, 2, 0)};
  check_operator(test);
}

TEST_CASE("of alternatives the one that is complete first counts") {
  KitCase test = letters_case("A B | A", {1, 2, 1});
  test.expect[""] = {letters(0, 0, 1, 0), letters(2, 2, 1, 0)};
  check_operator(test);
}

TEST_CASE("a greedy group is repeated as long as it takes the rows") {
  const std::vector<int> prices = {1, 2, 1, 2, 1, 1, 3, 3, 1, 2, 3};
  KitCase test = letters_case("(A B)+ (A | C)", prices);
  test.expect[""] = {letters(8, 10, 1, 1)};  // a third A begins a repetition, which fails
  check_operator(test);
  test = letters_case("(A B)* C", prices);
  test.expect[""] = {letters(6, 6, 0, 0), letters(7, 7, 0, 0), letters(8, 10, 1, 1)};
  check_operator(test);
  test = letters_case("(A B){2} A", prices);
  test.expect[""] = {letters(0, 4, 3, 2)};
  check_operator(test);
  test = letters_case("(A B){0,1} A A", prices);
  test.expect[""] = {letters(2, 5, 3, 1)};
  check_operator(test);
}

TEST_CASE("a reluctant group leaves both ways open") {
  const std::vector<int> prices = {1, 2, 1, 2, 1, 1, 3};
  KitCase test = letters_case("(A B)+? A", prices);
  test.expect[""] = {letters(0, 2, 2, 1)};
  check_operator(test);
  test = letters_case("(A | B)+? A A", prices, "\n  after_match: skip to next row");
  test.expect[""] = {letters(0, 5, 4, 2), letters(1, 5, 3, 2), letters(2, 5, 3, 1), letters(3, 5, 2, 1)};
  check_operator(test);
}

TEST_CASE("groups in groups, and ways that take the same rows count once") {
  KitCase test =
      letters_case("((A | A) (B | C)){2,3}? D", {1, 2, 1, 3, 1, 2, 4, 1, 2, 4}, "\n  after_match: skip to next row");
  test.expect[""] = {letters(0, 6, 3, 2), letters(2, 6, 2, 1)};
  check_operator(test);
}

TEST_CASE("a variable that stands twice has the rows of both places") {
  KitCase test = letters_case("A B A", {1, 2, 1});
  test.expect[""] = {letters(0, 2, 2, 1)};
  check_operator(test);
}

TEST_CASE("mistakes in a pattern are named") {
  const auto error = [](const std::string& fields) {
    return bind_error("id: p\npattern: {measures: {n: A.n}, " + fields + "}", "n INT");
  };
  CHECK(error("match: 'A B+'") == "a greedy quantifier cannot stand last: the match would never end");
  CHECK(error("match: 'A (B C+)'") == "a greedy quantifier cannot stand last: the match would never end");
  CHECK(error("match: 'A (B C)?'") == "a greedy quantifier cannot stand last: the match would never end");
  CHECK(error("match: 'A B*?'") == "the last variable has to match at least one row");
  CHECK(error("match: 'A (B | C'") == "a `(` in `match` is not closed");
  CHECK(error("match: 'A) B'") == "`)` is not understood in `match`");
  CHECK(error("match: 'A ( | C)'") == "a part of `match` names no variable");
  CHECK(error("match: '(B? | C)* A'") == "a group that could be met by no row cannot be repeated without end");
  CHECK(error("match: 'A? | B'") == "`match` could be met by no row at all");
  CHECK(error("match: '(A B){2,1}'") == "the quantifier of a group is not understood");
  CHECK(error("match: '((A B){1000}){1000} C'") == "`match` is too large: its groups are repeated too often");
  CHECK(error("match: A, define: {B: n = 1}") == "`match` has no variable `B`");
  CHECK(error("match: A, define: {A: n}") == "a condition is needed, this is INT");
  CHECK(error("match: A B, after_match: skip to C") == "`skip to C` is no way to go on after a match");
}

}  // namespace millrace
