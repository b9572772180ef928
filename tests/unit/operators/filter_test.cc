#include "tests/unit/operators/support.h"

namespace millrace {

TEST_CASE("filter keeps the rows for which the condition is TRUE, not those where it is NULL") {
  KitCase test;
  test.step = "id: f\nfilter: n > 1 AND user <> 'b'";
  test.inputs = {"user STRING, n BIGINT"};
  test.events = {kit_row(R"({"user":"a","n":1})", 10),
                 kit_row(R"({"user":"a","n":2})", 20),
                 kit_row(R"({"user":"b","n":3})", 30),
                 kit_watermark(25),
                 kit_row(R"({"user":"c","n":null})", 40),
                 kit_row(R"({"user":"c","n":5})", 50),
                 kit_end()};
  test.expect[""] = {R"({"user":"a","n":2})", R"({"user":"c","n":5})"};
  test.ordered = true;
  check_operator(test);
}

TEST_CASE("filter sends rows that fail to the dead letters when it is told so") {
  KitCase test;
  test.step = "id: f\non_error: dead_letter\nfilter: 10 / n > 1";
  test.inputs = {"n BIGINT"};
  test.events = {kit_row(R"({"n":1})", 1), kit_row(R"({"n":0})", 2), kit_row(R"({"n":5})", 3)};
  test.expect[""] = {R"({"n":1})", R"({"n":5})"};
  std::map<std::string, std::vector<std::string>> rows;
  CHECK(run_operator_case(operators_registry(), test, &rows).empty());
  REQUIRE(rows["dead_letter"].size() == 1);
  CHECK(rows["dead_letter"][0].starts_with(R"({"step":"f","code":"E0502","error":")"));
  CHECK(rows["dead_letter"][0].ends_with(R"("row":"{\"n\":0}"})"));
}

TEST_CASE("filter skips rows that fail, or fails with their text") {
  KitCase test;
  test.inputs = {"n BIGINT"};
  test.events = {kit_row(R"({"n":1})", 1), kit_row(R"({"n":0})", 2)};
  test.step = "id: f\non_error: skip\nfilter: 10 / n > 1";
  test.expect[""] = {R"({"n":1})"};
  check_operator(test);
  test.step = "id: f\nfilter: 10 / n > 1";
  const auto failures = run_operator_case(operators_registry(), test);
  REQUIRE(!failures.empty());
  CHECK(failures[0].find(R"(in row {"n":0})") != std::string::npos);
}

TEST_CASE("filter names a column that does not exist") {
  CHECK(bind_error("filter: nn > 1", "n BIGINT") == "unknown column `nn`");
}

}  // namespace millrace
