#include "tests/unit/operators/support.h"

namespace millrace {

namespace {

KitEvent order_row(const std::string& id, int n, int64_t time) {
  return kit_row("{\"id\":\"" + id + "\",\"n\":" + std::to_string(n) + "}", time);
}

KitCase dedup_case(const std::string& fields) {
  KitCase test;
  test.step = "id: d\ndedup: {key: [id], " + fields + "}";
  test.inputs = {"id STRING, n INT"};
  return test;
}

}  // namespace

TEST_CASE("dedup keeps the first row to arrive") {
  KitCase test = dedup_case("keep: first");
  test.events = {order_row("a", 1, 20), order_row("a", 2, 10), order_row("b", 3, 5), kit_watermark(50),
                 order_row("a", 4, 60)};
  test.expect[""] = {R"({"id":"a","n":1})", R"({"id":"b","n":3})"};
  check_operator(test);
}

TEST_CASE("within opens a key again") {
  KitCase test = dedup_case("within: 10s");
  test.events = {order_row("a", 1, 1000), order_row("a", 2, 10999), order_row("a", 3, 11000), kit_watermark(30000),
                 order_row("a", 4, 30001)};
  test.expect[""] = {R"({"id":"a","n":1})", R"({"id":"a","n":3})", R"({"id":"a","n":4})"};
  check_operator(test);
}

TEST_CASE("the first row by event time leaves when the watermark reaches it, and the key is closed") {
  KitCase test = dedup_case("keep: first, by: event_time");
  test.events = {order_row("a", 1, 20), order_row("a", 2, 10), order_row("a", 3, 10),
                 kit_watermark(9),      kit_watermark(15),     order_row("a", 4, 16),
                 order_row("b", 5, 14), order_row("b", 6, 17), kit_end()};
  test.expect[""] = {R"({"id":"a","n":2})", R"({"id":"b","n":6})"};
  check_operator(test);
}

TEST_CASE("the last row by event time updates, older ones say nothing") {
  KitCase test = dedup_case("keep: last, by: event_time");
  test.events = {order_row("a", 1, 20), order_row("a", 2, 10), order_row("a", 3, 20)};
  test.expect[""] = {R"({"op":"+I","id":"a","n":1})", R"({"op":"-U","id":"a","n":1})", R"({"op":"+U","id":"a","n":3})"};
  test.ordered = true;
  check_operator(test);
}

TEST_CASE("dedup refuses what has no meaning") {
  CHECK(bind_error("id: d\ndedup: {key: [id], keep: last, within: 1s}", "id STRING") ==
        "`within` has a meaning with `keep: first` only");
}

}  // namespace millrace
