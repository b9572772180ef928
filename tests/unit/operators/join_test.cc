#include "tests/unit/operators/support.h"

namespace millrace {
namespace {

KitCase join_case(const std::string& fields) {
  KitCase test;
  test.step =
      "id: j\njoin: {left: input0, right: input1, equal: [k], select: {k: input0.k, a: input0.a, b: input1.b}, " +
      fields + "}";
  test.inputs = {"k STRING, a BIGINT", "k STRING, b BIGINT"};
  return test;
}

KitEvent left_row(const std::string& key, int a, int64_t time) {
  return kit_row("{\"k\":" + key + ",\"a\":" + std::to_string(a) + "}", time, 0);
}
KitEvent right_row(const std::string& key, int b, int64_t time) {
  return kit_row("{\"k\":" + key + ",\"b\":" + std::to_string(b) + "}", time, 1);
}

}  // namespace

TEST_CASE("an interval join pairs rows within the bounds, both ends included") {
  KitCase test = join_case("kind: interval, between: {from: 0s, to: 10ms}");
  test.events = {left_row("\"x\"", 1, 100),  right_row("\"x\"", 1, 99),
                 right_row("\"x\"", 2, 100), right_row("\"x\"", 3, 110),
                 right_row("\"x\"", 4, 111), right_row("\"y\"", 5, 105),
                 left_row("\"x\"", 2, 95),   kit_watermark(90),
                 left_row("\"x\"", 3, 103),  kit_end()};
  test.expect[""] = {R"({"k":"x","a":1,"b":2})", R"({"k":"x","a":1,"b":3})", R"({"k":"x","a":2,"b":1})",
                     R"({"k":"x","a":2,"b":2})", R"({"k":"x","a":3,"b":3})", R"({"k":"x","a":3,"b":4})"};
  check_operator(test);
}

TEST_CASE("a full interval join shows rows alone once nothing can match them any more") {
  KitCase test = join_case("kind: interval, type: full, between: {from: -5ms, to: 5ms}");
  test.events = {left_row("\"x\"", 1, 100),
                 right_row("\"y\"", 1, 101),
                 left_row("null", 2, 102),
                 right_row("\"x\"", 2, 104),
                 kit_watermark(106),
                 right_row("\"z\"", 3, 120),
                 kit_end()};
  test.expect[""] = {R"({"k":"x","a":1,"b":2})", R"({"k":null,"a":null,"b":1})", R"({"k":null,"a":2,"b":null})",
                     R"({"k":null,"a":null,"b":3})"};
  check_operator(test);
}

TEST_CASE("the condition decides whether a row has found a partner") {
  KitCase test = join_case("kind: interval, type: left, between: {from: 0s, to: 5ms}, where: input1.b > input0.a");
  test.events = {left_row("\"x\"", 1, 100), right_row("\"x\"", 1, 101), left_row("\"x\"", 0, 101), kit_end()};
  test.expect[""] = {R"({"k":"x","a":0,"b":1})", R"({"k":"x","a":1,"b":null})"};
  check_operator(test);
}

TEST_CASE("a regular inner join of streams that append only appends") {
  KitCase test = join_case("kind: regular");
  test.events = {left_row("\"x\"", 1, 1), right_row("\"x\"", 1, 2), right_row("\"x\"", 2, 3), left_row("null", 3, 4),
                 right_row("null", 3, 4)};
  test.expect[""] = {R"({"k":"x","a":1,"b":1})", R"({"k":"x","a":1,"b":2})"};
  check_operator(test);
}

TEST_CASE("a regular left join takes the row with NULLs back when a partner comes") {
  KitCase test = join_case("kind: regular, type: left");
  test.events = {left_row("\"x\"", 1, 1), right_row("\"x\"", 1, 2), right_row("\"x\"", 2, 3)};
  test.expect[""] = {R"({"op":"+I","k":"x","a":1,"b":null})", R"({"op":"-D","k":"x","a":1,"b":null})",
                     R"({"op":"+I","k":"x","a":1,"b":1})", R"({"op":"+I","k":"x","a":1,"b":2})"};
  check_operator(test);
}

TEST_CASE("a row that leaves takes its pairs along, and the last partner brings NULLs back") {
  KitCase test = join_case("kind: regular, type: left");
  KitEvent leaves = right_row("\"x\"", 1, 3);
  leaves.row_kind = static_cast<uint8_t>(RowKind::kDelete);
  test.events = {left_row("\"x\"", 1, 1), right_row("\"x\"", 1, 2), leaves};
  test.expect[""] = {R"({"op":"+I","k":"x","a":1,"b":null})", R"({"op":"-D","k":"x","a":1,"b":null})",
                     R"({"op":"+I","k":"x","a":1,"b":1})", R"({"op":"-D","k":"x","a":1,"b":1})",
                     R"({"op":"+I","k":"x","a":1,"b":null})"};
  check_operator(test);
}

TEST_CASE("a window join pairs rows of one window when it ends") {
  KitCase test = join_case("kind: window, type: full, window: {type: tumbling, size: 10ms}");
  test.events = {left_row("\"x\"", 1, -1),
                 right_row("\"x\"", 1, 0),
                 left_row("\"x\"", 2, 9),
                 right_row("\"y\"", 2, 10),
                 kit_watermark(9),
                 left_row("\"x\"", 3, 15),
                 kit_end()};
  test.expect[""] = {R"({"k":"x","a":1,"b":null,"window_start":-10,"window_end":0})",
                     R"({"k":"x","a":2,"b":1,"window_start":0,"window_end":10})",
                     R"({"k":null,"a":null,"b":2,"window_start":10,"window_end":20})",
                     R"({"k":"x","a":3,"b":null,"window_start":10,"window_end":20})"};
  check_operator(test);
}

TEST_CASE("semi and anti window joins show each left row once") {
  for (const char* type : {"semi", "anti"}) {
    KitCase test;
    test.step = std::string("id: j\njoin: {left: input0, right: input1, equal: [k], kind: window, type: ") + type +
                ", window: {type: tumbling, size: 10ms}, select: {a: input0.a}}";
    test.inputs = {"k STRING, a BIGINT", "k STRING, b BIGINT"};
    test.events = {left_row("\"x\"", 1, 1), right_row("\"x\"", 1, 2), right_row("\"x\"", 2, 3), left_row("\"y\"", 2, 4),
                   kit_end()};
    test.expect[""] = {std::string(type) == "semi" ? R"({"a":1,"window_start":0,"window_end":10})"
                                                   : R"({"a":2,"window_start":0,"window_end":10})"};
    check_operator(test);
  }
}

TEST_CASE("a temporal join takes the version that was valid at the row's time") {
  KitCase test = join_case("kind: temporal, type: left");
  test.events = {right_row("\"x\"", 1, 10), left_row("\"x\"", 1, 9),   left_row("\"x\"", 2, 10),
                 right_row("\"x\"", 2, 20), left_row("\"x\"", 3, 25),  kit_watermark(22),
                 left_row("\"x\"", 4, 24),  right_row("\"x\"", 3, 24), kit_end()};
  test.expect[""] = {R"({"k":"x","a":1,"b":null})", R"({"k":"x","a":2,"b":1})", R"({"k":"x","a":3,"b":3})",
                     R"({"k":"x","a":4,"b":3})"};
  check_operator(test);
}

TEST_CASE("a join says what is missing") {
  const auto error = [](const std::string& fields) {
    const auto node = bind_single_step(operators_registry(), "join: {left: input0, right: input1, " + fields + "}",
                                       {"k STRING, a BIGINT", "k STRING, b BIGINT"});
    return node ? std::string("it binds") : node.error().message;
  };
  CHECK(error("kind: regular").find("`equal` is missing") != std::string::npos);
  CHECK(error("kind: interval, equal: [k]").find("an interval join needs `between`") != std::string::npos);
  CHECK(error("kind: window, equal: [k]").find("a window join needs `window`") != std::string::npos);
  CHECK(error("kind: regular, equal: {k: b}").find("`k` is STRING and `b` is BIGINT") != std::string::npos);
  CHECK(error("kind: temporal, type: full, equal: [k]").find("inner or left") != std::string::npos);
  CHECK(error("kind: sideways, equal: [k]").find("sideways") != std::string::npos);
}

}  // namespace millrace
