#include <cstdlib>

#include "tests/unit/operators/support.h"

namespace millrace {

namespace {

/// The result over the numbers 0 … count-1, each `times` times, in one window or as the sum of a hundred panes.
double sketch_of(const std::string& call, int count, int times, const std::string& window) {
  KitCase test;
  test.step = "id: w\nwindow: " + window + "\naggregate:\n  r: " + call;
  test.inputs = {"x BIGINT"};
  for (int i = 0; i < count * times; ++i) {
    // A stride that is coprime to the counts used: all numbers, out of order.
    test.events.push_back(kit_row("{\"x\":" + std::to_string((int64_t{i} * 7919) % count) + "}", i % 1000));
  }
  test.events.push_back(kit_end());
  std::map<std::string, std::vector<std::string>> rows;
  CHECK(run_operator_case(operators_registry(), test, &rows, KitModes::kWithoutRestore).empty());
  REQUIRE(!rows[""].empty());
  const std::string& line = rows[""].back();
  return std::strtod(line.c_str() + line.find("\"r\":") + 4, nullptr);
}

const char* const kOneWindow = "{type: tumbling, size: 1s}";
const char* const kManyPanes = "{type: cumulating, size: 1s, step: 10ms}";

}  // namespace

TEST_CASE("APPROX_COUNT_DISTINCT is within a few percent, and merging changes nothing") {
  CHECK(sketch_of("APPROX_COUNT_DISTINCT(x)", 7, 3, kOneWindow) == 7);
  const double estimate = sketch_of("APPROX_COUNT_DISTINCT(x)", 5000, 1, kOneWindow);
  CHECK(estimate == Approx(5000).epsilon(0.06));
  CHECK(sketch_of("APPROX_COUNT_DISTINCT(x)", 5000, 1, kManyPanes) == estimate);
}

TEST_CASE("APPROX_PERCENTILE is close everywhere and closest at the ends") {
  for (const char* window : {kOneWindow, kManyPanes}) {
    CHECK(sketch_of("APPROX_PERCENTILE(x, 0.5)", 5000, 1, window) == Approx(2500).epsilon(0.02));
    CHECK(sketch_of("APPROX_PERCENTILE(x, 0.99)", 5000, 1, window) == Approx(4950).epsilon(0.004));
    CHECK(sketch_of("APPROX_PERCENTILE(x, 0.0)", 5000, 1, window) == 0);
    CHECK(sketch_of("APPROX_PERCENTILE(x, 1.0)", 5000, 1, window) == 4999);
  }
}

TEST_CASE("sketches survive restores and rescaling unchanged") {
  KitCase test;
  test.step =
      "id: w\nkey_by: [k]\nwindow: {type: tumbling, size: 1s}\naggregate: {d: APPROX_COUNT_DISTINCT(x), "
      "m: \"APPROX_PERCENTILE(x, 0.5)\", none: \"APPROX_PERCENTILE(y, 0.5)\"}";
  test.inputs = {"k STRING, x INT, y INT"};
  for (const int value : {9, 1, 5, 5, 7}) {
    test.events.push_back(kit_row("{\"k\":\"a\",\"x\":" + std::to_string(value) + ",\"y\":null}", value));
  }
  test.events.push_back(kit_end());
  test.expect[""] = {R"({"k":"a","window_start":0,"window_end":1000,"d":4,"m":5.0,"none":null})"};
  check_operator(test);
}

TEST_CASE("TOP_K keeps the greatest values, over panes too") {
  KitCase test;
  test.step =
      "id: w\nkey_by: [k]\nwindow: {type: sliding, size: 10ms, slide: 5ms}\naggregate: {x: \"TOP_K(x, 2)\", "
      "s: \"TOP_K(s, 3)\", d: \"TOP_K(DISTINCT x, 2)\", f: \"TOP_K(x, 1) FILTER (WHERE x < 7)\"}";
  test.inputs = {"k STRING, x INT, s STRING"};
  int64_t time = 0;
  for (const char* row :
       {R"({"k":"a","x":3,"s":"p"})", R"({"k":"a","x":7,"s":"qq"})", R"({"k":"a","x":null,"s":null})",
        R"({"k":"a","x":7,"s":"a"})", R"({"k":"a","x":9,"s":"q"})", R"({"k":"b","x":null,"s":null})"}) {
    test.events.push_back(kit_row(row, time++ * 2));
  }
  test.events.push_back(kit_end());
  test.expect[""] = {R"({"k":"a","window_start":-5,"window_end":5,"x":[7,3],"s":["qq","p"],"d":[7,3],"f":[3]})",
                     R"({"k":"a","window_start":0,"window_end":10,"x":[9,7],"s":["qq","q","p"],"d":[9,7],"f":[3]})",
                     R"({"k":"a","window_start":5,"window_end":15,"x":[9,7],"s":["q","a"],"d":[9,7],"f":null})",
                     R"({"k":"b","window_start":5,"window_end":15,"x":null,"s":null,"d":null,"f":null})",
                     R"({"k":"b","window_start":10,"window_end":20,"x":null,"s":null,"d":null,"f":null})"};
  check_operator(test);
}

TEST_CASE("sketches name what they need") {
  CHECK(bind_error("id: w\nwindow: {type: tumbling, size: 1s}\naggregate: {r: APPROX_PERCENTILE(x)}", "x INT") ==
        "APPROX_PERCENTILE takes a number and a percentile from 0 to 1");
}

}  // namespace millrace
