#include "tests/unit/operators/support.h"

namespace millrace {

namespace {

KitCase tumbling_case(const std::string& window, const std::string& rest) {
  KitCase test;
  test.step = "id: w\nkey_by: [user]\nwindow: " + window + "\n" + rest;
  test.inputs = {"user STRING, n INT"};
  return test;
}

KitEvent click(const std::string& user, int n, int64_t time) {
  return kit_row("{\"user\":\"" + user + "\",\"n\":" + std::to_string(n) + "}", time);
}

}  // namespace

TEST_CASE("a tumbling window fires once per key when the watermark reaches its last millisecond") {
  KitCase test = tumbling_case("{type: tumbling, size: 10s}", "aggregate: {cnt: COUNT(*), total: SUM(n)}");
  test.events = {click("a", 1, 0),    click("b", 2, 9999), click("a", 3, 10000), kit_watermark(9998),
                 click("a", 4, 9999), kit_watermark(9999), click("b", 5, 19999), kit_end()};
  test.expect[""] = {R"({"user":"a","window_start":0,"window_end":10000,"cnt":2,"total":5})",
                     R"({"user":"b","window_start":0,"window_end":10000,"cnt":1,"total":2})",
                     R"({"user":"a","window_start":10000,"window_end":20000,"cnt":1,"total":3})",
                     R"({"user":"b","window_start":10000,"window_end":20000,"cnt":1,"total":5})"};
  test.expect["late"] = {};
  check_operator(test);
}

TEST_CASE("windows before 1970 and with offsets are aligned by floor division") {
  KitCase test = tumbling_case("{type: tumbling, size: 10s, offset: -3s}", "aggregate: {cnt: COUNT(*)}");
  test.events = {click("a", 1, -3001), click("a", 1, -3000), click("a", 1, 6999), click("a", 1, 7000), kit_end()};
  test.expect[""] = {R"({"user":"a","window_start":-13000,"window_end":-3000,"cnt":1})",
                     R"({"user":"a","window_start":-3000,"window_end":7000,"cnt":2})",
                     R"({"user":"a","window_start":7000,"window_end":17000,"cnt":1})"};
  check_operator(test);
}

TEST_CASE("a row whose window is over goes to the late output, with the columns of the input") {
  KitCase test = tumbling_case("{type: tumbling, size: 10s, late_output: zu_spaet}", "aggregate: {cnt: COUNT(*)}");
  test.events = {click("a", 1, 5000), kit_watermark(9999), click("a", 2, 9999), click("a", 3, 10000), kit_end()};
  test.expect[""] = {R"({"user":"a","window_start":0,"window_end":10000,"cnt":1})",
                     R"({"user":"a","window_start":10000,"window_end":20000,"cnt":1})"};
  test.expect["zu_spaet"] = {R"({"user":"a","n":2})"};
  check_operator(test);
}

TEST_CASE("late rows within the lateness fire one result each, with what is there then") {
  KitCase test = tumbling_case("{type: tumbling, size: 10s, allowed_lateness: 5s}",
                               "aggregate: {cnt: COUNT(*), last: LAST_VALUE(n), wm: CURRENT_WATERMARK()}");
  test.events = {click("a", 1, 0), kit_watermark(9999),  click("a", 2, 1), click("b", 9, 2),
                 click("a", 3, 3), kit_watermark(14999), click("a", 4, 4), kit_end()};
  test.expect[""] = {R"({"user":"a","window_start":0,"window_end":10000,"cnt":1,"last":1,"wm":9999})",
                     R"({"user":"a","window_start":0,"window_end":10000,"cnt":2,"last":2,"wm":9999})",
                     R"({"user":"b","window_start":0,"window_end":10000,"cnt":1,"last":9,"wm":9999})",
                     R"({"user":"a","window_start":0,"window_end":10000,"cnt":3,"last":3,"wm":9999})"};
  test.expect["late"] = {R"({"user":"a","n":4})"};
  test.ordered = true;
  check_operator(test);
}

TEST_CASE("a purging window shows only what came since the last firing") {
  KitCase test = tumbling_case("{type: tumbling, size: 10s, allowed_lateness: 5s, accumulate: false}",
                               "aggregate: {cnt: COUNT(*)}");
  test.events = {click("a", 1, 0), click("a", 1, 1), kit_watermark(9999),
                 click("a", 2, 2), click("a", 2, 3), kit_end()};
  test.expect[""] = {R"({"user":"a","window_start":0,"window_end":10000,"cnt":2})",
                     R"({"user":"a","window_start":0,"window_end":10000,"cnt":1})",
                     R"({"user":"a","window_start":0,"window_end":10000,"cnt":1})"};
  check_operator(test);
}

TEST_CASE("FILTER, expressions over aggregates and having") {
  KitCase test = tumbling_case("{type: tumbling, size: 10s}",
                               "aggregate:\n"
                               "  big: COUNT(*) FILTER (WHERE n > 2)\n"
                               "  mean: SUM(n) / COUNT(*)\n"
                               "  safe: SUM(10 / n) FILTER (WHERE n <> 0)\n"
                               "having: big > 0 AND MIN(n) < 5");
  test.events = {click("a", 1, 0), click("a", 5, 1), click("a", 0, 2), click("b", 2, 3), click("c", 7, 4), kit_end()};
  test.expect[""] = {R"({"user":"a","window_start":0,"window_end":10000,"big":1,"mean":2,"safe":12})"};
  check_operator(test);
}

TEST_CASE("a window without key_by is global, NULL is a key") {
  KitCase test = tumbling_case("{type: tumbling, size: 10s}", "aggregate: {cnt: COUNT(n)}");
  test.events = {kit_row(R"({"user":null,"n":1})", 0), kit_row(R"({"user":null,"n":null})", 1), click("a", 1, 2),
                 kit_end()};
  test.expect[""] = {R"({"user":null,"window_start":0,"window_end":10000,"cnt":1})",
                     R"({"user":"a","window_start":0,"window_end":10000,"cnt":1})"};
  check_operator(test);
  test.step = "id: w\nwindow: {type: tumbling, size: 10s}\naggregate: {cnt: COUNT(*)}";
  test.expect[""] = {R"({"window_start":0,"window_end":10000,"cnt":3})"};
  check_operator(test);
}

TEST_CASE("sliding windows share panes; a row counts in every window that is still open") {
  KitCase test = tumbling_case("{type: sliding, size: 10s, slide: 5s}",
                               "aggregate: {cnt: COUNT(*), first: FIRST_VALUE(n), last: LAST_VALUE(n)}");
  test.events = {click("a", 1, 6000), click("a", 2, 1000), kit_watermark(4999), click("a", 3, 2000), kit_end()};
  test.expect[""] = {R"({"user":"a","window_start":-5000,"window_end":5000,"cnt":1,"first":2,"last":2})",
                     R"({"user":"a","window_start":0,"window_end":10000,"cnt":3,"first":1,"last":3})",
                     R"({"user":"a","window_start":5000,"window_end":15000,"cnt":1,"first":1,"last":1})"};
  test.expect["late"] = {};
  check_operator(test);
}

TEST_CASE("cumulating windows grow by steps") {
  KitCase test = tumbling_case("{type: cumulating, size: 10s, step: 5s}", "aggregate: {cnt: COUNT(*)}");
  test.events = {click("a", 1, 1000), click("a", 2, 6000), click("a", 3, 11000), kit_end()};
  test.expect[""] = {R"({"user":"a","window_start":0,"window_end":5000,"cnt":1})",
                     R"({"user":"a","window_start":0,"window_end":10000,"cnt":2})",
                     R"({"user":"a","window_start":10000,"window_end":15000,"cnt":1})",
                     R"({"user":"a","window_start":10000,"window_end":20000,"cnt":1})"};
  check_operator(test);
}

TEST_CASE("processing-time windows fire by the wall clock") {
  KitCase test = tumbling_case("{type: tumbling, size: 10s, time: processing}", "aggregate: {cnt: COUNT(*)}");
  test.events = {kit_clock(5000),  click("a", 1, 77), click("a", 2, 78), kit_clock(9999),
                 kit_clock(12000), click("a", 3, 79), kit_clock(30000)};
  test.expect[""] = {R"({"user":"a","window_start":0,"window_end":10000,"cnt":2})",
                     R"({"user":"a","window_start":10000,"window_end":20000,"cnt":1})"};
  check_operator(test);
}

TEST_CASE("a window that fires more keys than a batch holds goes on where it stopped") {
  KitCase test = tumbling_case("{type: tumbling, size: 10s}", "aggregate: {cnt: COUNT(*)}");
  for (int i = 0; i < 9000; ++i) test.events.push_back(click("u" + std::to_string(i), i, i));
  test.events.push_back(kit_end());
  std::map<std::string, std::vector<std::string>> rows;
  CHECK(run_operator_case(operators_registry(), test, &rows, KitModes::kWithoutRestore).empty());
  CHECK(rows[""].size() == 9000);
}

TEST_CASE("a window says what is wrong with it") {
  const char* const input = "user STRING, n INT, s STRING";
  CHECK(bind_error("window: {type: tumbling}\naggregate: {c: COUNT(*)}", input) == "the window needs `size`");
  CHECK(bind_error("window: {type: tumbling, size: 0s}\naggregate: {c: COUNT(*)}", input) == "`size` must be positive");
  CHECK(bind_error("window: {type: tumbling, size: 5s}\naggregate: {c: SUM(s)}", input) ==
        "SUM needs a number, this is STRING");
  CHECK(bind_error("window: {type: tumbling, size: 5s}\naggregate: {window_end: COUNT(*)}", input) ==
        "column `window_end` would exist twice");
  CHECK(bind_error("key_by: [usr]\nwindow: {type: tumbling, size: 5s}\naggregate: {c: COUNT(*)}", input) ==
        "unknown column `usr`");
}

}  // namespace millrace
