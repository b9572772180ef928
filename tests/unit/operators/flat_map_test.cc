#include "tests/unit/operators/support.h"

namespace millrace {

TEST_CASE("flat_map gives a row per element, nothing for NULL and empty lists") {
  KitCase test;
  test.inputs = {"user STRING, tags ARRAY<STRING>"};
  test.step = "flat_map: {unnest: tags, as: [tag], keep: [user]}";
  test.events = {kit_row(R"({"user":"a","tags":["x","y"]})", 1), kit_row(R"({"user":"b","tags":[]})", 2),
                 kit_row(R"({"user":"c","tags":null})", 3), kit_row(R"({"user":"d","tags":["z",null]})", 4)};
  test.expect[""] = {R"({"user":"a","tag":"x"})", R"({"user":"a","tag":"y"})", R"({"user":"d","tag":"z"})",
                     R"({"user":"d","tag":null})"};
  test.ordered = true;
  check_operator(test);
}

TEST_CASE("flat_map splits an expression into words") {
  KitCase test;
  test.inputs = {"line STRING"};
  test.step = "flat_map:\n  unnest: SPLIT(line, ' ')\n  as: [word]";
  test.events = {kit_row(R"({"line":"to be or"})", 1), kit_row(R"({"line":"not"})", 2)};
  test.expect[""] = {R"({"word":"to"})", R"({"word":"be"})", R"({"word":"or"})", R"({"word":"not"})"};
  test.ordered = true;
  check_operator(test);
}

TEST_CASE("flat_map names the fields of rows and the parts of maps") {
  KitCase test;
  test.inputs = {"items ARRAY<ROW<id BIGINT, n INT>>"};
  test.step = "flat_map: {unnest: items, as: [item, count]}";
  test.events = {kit_row(R"({"items":[{"id":1,"n":2},{"id":3,"n":null}]})", 1)};
  test.expect[""] = {R"({"item":1,"count":2})", R"({"item":3,"count":null})"};
  check_operator(test);
  test.inputs = {"m MAP<STRING, INT>"};
  test.step = "flat_map: {unnest: m, as: [k, v]}";
  test.events = {kit_row(R"({"m":{"a":1,"b":2}})", 1)};
  test.expect[""] = {R"({"k":"a","v":1})", R"({"k":"b","v":2})"};
  check_operator(test);
}

TEST_CASE("flat_map goes on where a full batch of results ended") {
  KitCase test;
  test.inputs = {"list ARRAY<INT>"};
  test.step = "flat_map: {unnest: list, as: [n]}";
  std::string row = R"({"list":[0)";
  for (int i = 1; i < 3000; ++i) row += "," + std::to_string(i);
  row += "]}";
  test.events = {kit_row(row, 1), kit_row(row, 2), kit_row(row, 3)};
  std::map<std::string, std::vector<std::string>> rows;
  CHECK(run_operator_case(operators_registry(), test, &rows).empty());
  REQUIRE(rows[""].size() == 9000);
  CHECK(rows[""][4500] == R"({"n":1500})");
}

TEST_CASE("flat_map refuses what has no elements, and a wrong number of names") {
  CHECK(bind_error("flat_map: {unnest: n, as: [x]}", "n INT") == "unnest needs an ARRAY or a MAP, this is INT");
  CHECK(bind_error("flat_map: {unnest: n, as: [x, y]}", "n ARRAY<INT>") ==
        "`as` names 2 columns, an element of ARRAY<INT> gives 1");
}

}  // namespace millrace
