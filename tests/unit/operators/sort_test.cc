#include "tests/unit/operators/support.h"

namespace millrace {

namespace {

KitEvent sort_row(const std::string& user, int n, int64_t time) {
  return kit_row("{\"user\":\"" + user + "\",\"n\":" + std::to_string(n) + "}", time);
}

KitCase sort_case(const std::string& step) {
  KitCase test;
  test.step = step;
  test.inputs = {"user STRING, n INT"};
  return test;
}

}  // namespace

TEST_CASE("sort puts rows into the order of event time, ties by arrival") {
  KitCase test = sort_case("id: s\nsort: {}");
  test.events = {sort_row("a", 1, 30), sort_row("a", 2, 10), sort_row("b", 3, 10),
                 kit_watermark(20),    sort_row("a", 4, 25), kit_end()};
  test.expect[""] = {R"({"user":"a","n":2})", R"({"user":"b","n":3})", R"({"user":"a","n":4})",
                     R"({"user":"a","n":1})"};
  test.expect["late"] = {};
  test.ordered = true;
  check_operator(test);
}

TEST_CASE("sort: then decides about rows of the same time, NULL first and last when descending") {
  KitCase test = sort_case("id: s\nsort: {then: [user DESC, n]}");
  test.events = {sort_row("a", 9, 1), sort_row("b", 2, 1), kit_row(R"({"user":null,"n":1})", 1), sort_row("a", -9, 1),
                 kit_end()};
  test.expect[""] = {R"({"user":"b","n":2})", R"({"user":"a","n":-9})", R"({"user":"a","n":9})",
                     R"({"user":null,"n":1})"};
  test.ordered = true;
  check_operator(test);
}

TEST_CASE("sort sends rows at or below the watermark to late") {
  KitCase test = sort_case("id: s\nkey_by: [user]\nsort: {}");
  test.events = {sort_row("a", 1, 5), kit_watermark(5), sort_row("a", 2, 5), sort_row("b", 3, 6), kit_end()};
  test.expect[""] = {R"({"user":"a","n":1})", R"({"user":"b","n":3})"};
  test.expect["late"] = {R"({"user":"a","n":2})"};
  check_operator(test);
}

TEST_CASE("sort hands thousands of rows of one time over in several batches") {
  KitCase test = sort_case("id: s\nsort: {then: n}");
  for (int i = 0; i < 5000; ++i) test.events.push_back(sort_row("a", 5000 - i, 1));
  test.events.push_back(kit_end());
  std::map<std::string, std::vector<std::string>> rows;
  CHECK(run_operator_case(operators_registry(), test, &rows, KitModes::kWithoutRestore).empty());
  REQUIRE(rows[""].size() == 5000);
  CHECK(rows[""].front() == R"({"user":"a","n":1})");
  CHECK(rows[""].back() == R"({"user":"a","n":5000})");
}

TEST_CASE("sort says which fields it has") {
  CHECK(bind_error("id: s\nsort: {than: [n]}", "n INT") == "unknown field `than` in `sort`");
  CHECK(bind_error("id: s\nsort: {then: [m DESC]}", "n INT") == "unknown column `m`");
}

}  // namespace millrace
