#include "tests/unit/operators/support.h"

namespace millrace {

TEST_CASE("union passes the rows of all inputs") {
  KitCase test;
  test.step = "union: [a, b]";
  test.inputs = {"n BIGINT", "n BIGINT NOT NULL"};
  test.events = {kit_row(R"({"n":1})", 1, 0), kit_row(R"({"n":2})", 2, 1), kit_watermark(1),
                 kit_row(R"({"n":3})", 3, 0)};
  test.expect[""] = {R"({"n":1})", R"({"n":2})", R"({"n":3})"};
  check_operator(test);
}

TEST_CASE("union refuses inputs whose columns differ") {
  const auto node = bind_single_step(operators_registry(), "union: [a, b]", {"n BIGINT", "n INT"});
  REQUIRE(!node);
  CHECK(node.error().message == "column 1 is `n BIGINT` in `input0` and `n INT` in `input1`");
}

}  // namespace millrace
