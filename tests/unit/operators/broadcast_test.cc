#include "tests/unit/operators/support.h"

namespace millrace {
namespace {

KitCase rules_case(const std::string& more) {
  KitCase test;
  test.step =
      "id: b\nbroadcast: {input: input0, rules: input1, key: [rule], where: input0.n > input1.most, "
      "select: {n: n, rule: rule}" +
      more + "}";
  test.inputs = {"n BIGINT", "rule STRING, most BIGINT"};
  return test;
}

KitEvent number(int n, int64_t time) { return kit_row("{\"n\":" + std::to_string(n) + "}", time, 0); }
KitEvent rule(const std::string& name, int most, int64_t time, RowKind kind = RowKind::kInsert) {
  KitEvent event = kit_row("{\"rule\":\"" + name + "\",\"most\":" + std::to_string(most) + "}", time, 1);
  event.row_kind = static_cast<uint8_t>(kind);
  return event;
}

}  // namespace

TEST_CASE("rows meet every rule that was there before them, on whatever subtask they are") {
  KitCase test = rules_case("");
  test.events = {number(9, 1), rule("a", 5, 2),   rule("b", 7, 3), number(6, 4),   number(8, 5),
                 number(1, 6), rule("a", 100, 7), number(9, 8),    number(200, 9), kit_end()};
  test.expect[""] = {R"({"n":6,"rule":"a"})", R"({"n":8,"rule":"a"})",   R"({"n":8,"rule":"b"})",
                     R"({"n":9,"rule":"b"})", R"({"n":200,"rule":"a"})", R"({"n":200,"rule":"b"})"};
  check_operator(test);
}

TEST_CASE("with `type: left` a row that no rule fits is shown alone") {
  KitCase test = rules_case(", type: left");
  test.events = {number(9, 1), rule("a", 5, 2), number(6, 3), number(4, 4), kit_end()};
  test.expect[""] = {R"({"n":9,"rule":null})", R"({"n":6,"rule":"a"})", R"({"n":4,"rule":null})"};
  check_operator(test);
}

TEST_CASE("broadcast says which column of the rules does not exist") {
  const auto node = bind_single_step(operators_registry(), "id: b\nbroadcast: {input: input0, rules: input1, key: [x]}",
                                     {"n BIGINT", "rule STRING"});
  REQUIRE_FALSE(node);
  CHECK(node.error().message == "unknown column `x`");
}

TEST_CASE("a printing step passes everything on") {
  KitCase test;
  test.step = "id: p\nprint: 1";
  test.inputs = {"n BIGINT"};
  test.events = {number(1, 1), number(2, 2), kit_watermark(2), number(3, 3), kit_end()};
  test.expect[""] = {R"({"n":1})", R"({"n":2})", R"({"n":3})"};
  check_operator(test);
}

namespace {

class ThrottledRows final : public Output {
 public:
  void emit(uint32_t, Batch batch) override { rows += batch.selected(); }
  uint32_t rows = 0;
};

}  // namespace

TEST_CASE("a throttle lets one row pass at once and then as many as time allows") {
  const auto node = bind_single_step(operators_registry(), "id: t\nthrottle: 10", {"n BIGINT"});
  REQUIRE(node);
  const JobGraph graph;
  auto op = operators_registry().factories.operators.at("throttle")(*node, graph);
  REQUIRE(op);
  ManualClock clock;
  OperatorContext context;
  context.clock = &clock;
  REQUIRE((*op)->open(context));
  Batch batch;
  batch.rows = 25;
  batch.event_times = std::make_shared<const std::vector<int64_t>>(25, 1);
  ThrottledRows out;
  const auto flow = [&] { return *(*op)->process(0, batch, out); };
  CHECK(flow() == Flow::kMoreOutput);
  CHECK(out.rows == 1);
  CHECK(flow() == Flow::kBlocked);
  CHECK((*op)->retry_at_ms() == 100);
  clock.advance_ms(99);
  CHECK(flow() == Flow::kBlocked);
  clock.advance_ms(1);
  CHECK(flow() == Flow::kMoreOutput);
  CHECK(out.rows == 2);
  clock.advance_ms(10'000);  // a long pause is not caught up
  CHECK(flow() == Flow::kMoreOutput);
  CHECK(out.rows == 4);
  while (out.rows < 24) {
    clock.advance_ms(100);
    (void)flow();
  }
  clock.advance_ms(100);
  CHECK(flow() == Flow::kNeedInput);
  CHECK(out.rows == 25);
}

}  // namespace millrace
