#include "runtime/chain_driver.h"

#include <catch2/catch.hpp>

#include "core/clock.h"
#include "tests/unit/runtime/test_rows.h"

namespace millrace {

namespace {

/// Emits every row of its input `copies` times, one batch of one row a call; sums rows and emits the sum on a
/// watermark.
class RepeatingOperator final : public Operator {
 public:
  explicit RepeatingOperator(int copies) : copies_(copies) {}
  Status open(const OperatorContext&) override { return {}; }
  Result<Flow> process(uint32_t, Batch& batch, Output& out) override {
    if (block_next) {
      block_next = false;
      return Flow::kBlocked;
    }
    const std::vector<int64_t> values = numbers_of(batch);
    out.emit(0, numbers({values[static_cast<size_t>(done_ / copies_)]}));
    if (++done_ < static_cast<int>(values.size()) * copies_) return Flow::kMoreOutput;
    done_ = 0;
    return Flow::kNeedInput;
  }
  Result<Flow> advance(int64_t watermark, Output& out) override {
    advanced.push_back(watermark);
    out.emit(0, numbers({watermark}));
    return ++firings_ % 2 == 1 ? Flow::kMoreOutput : Flow::kNeedInput;
  }
  int64_t hold_back(int64_t watermark) const override { return watermark - 10; }
  bool block_next = false;
  std::vector<int64_t> advanced;

 private:
  int copies_;
  int done_ = 0;
  int firings_ = 0;
};

class CollectingSink final : public SinkWriter {
 public:
  explicit CollectingSink(std::vector<int64_t>& rows) : rows_(rows) {}
  Status open(SinkContext&) override { return {}; }
  Result<Flow> write(const Batch& batch, Output&) override {
    if (refuse_every_other && (++calls_ % 2) == 1) return Flow::kBlocked;
    for (const int64_t n : numbers_of(batch)) rows_.push_back(n);
    return Flow::kNeedInput;
  }
  bool refuse_every_other = false;

 private:
  std::vector<int64_t>& rows_;
  int calls_ = 0;
};

class FailingOperator final : public Operator {
 public:
  Status open(const OperatorContext&) override { return {}; }
  Result<Flow> process(uint32_t, Batch&, Output&) override {
    return make_error(ErrorCode::kEvaluation, "division by zero");
  }
};

/// Holds the watermark at 40 until its timer has run.
class WaitingOperator final : public Operator {
 public:
  Status open(const OperatorContext&) override { return {}; }
  Result<Flow> process(uint32_t, Batch&, Output&) override { return Flow::kBlocked; }
  int64_t next_timer_ms() const override { return waits_ ? 5 : INT64_MAX; }
  Result<Flow> on_timer(int64_t, Output& out) override {
    waits_ = false;
    out.emit(0, numbers({41}));
    return Flow::kNeedInput;
  }
  int64_t retry_at_ms() const override { return 7; }
  int64_t hold_back(int64_t watermark) const override { return waits_ ? std::min<int64_t>(watermark, 40) : watermark; }

 private:
  bool waits_ = true;
};

Stage stage_of(uint32_t node, OperatorPtr op, int32_t chained_port) {
  Stage stage;
  stage.node = node;
  stage.step = "step" + std::to_string(node);
  stage.op = std::move(op);
  stage.chained_port = chained_port;
  return stage;
}

}  // namespace

TEST_CASE("A chain passes every batch of a stage on before it calls the stage again") {
  ManualClock clock;
  OutputRouter outputs;
  ChainDriver driver(outputs, clock);
  std::vector<int64_t> rows;
  driver.add(stage_of(0, std::make_unique<RepeatingOperator>(2), 0));
  driver.add(stage_of(1, std::make_unique<RepeatingOperator>(2), 0));
  Stage sink = stage_of(2, nullptr, -1);
  sink.sink = std::make_unique<CollectingSink>(rows);
  driver.add(std::move(sink));
  driver.push_batch(0, numbers({1, 2}));
  REQUIRE(driver.resume(INT64_MAX).value() == Flow::kNeedInput);
  REQUIRE(rows == std::vector<int64_t>{1, 1, 1, 1, 2, 2, 2, 2});
}

TEST_CASE("A tap shows what leaves one stage of a chain, and goes when it has had enough") {
  ManualClock clock;
  OutputRouter outputs;
  ChainDriver driver(outputs, clock);
  std::vector<int64_t> rows;
  std::vector<std::string> seen;
  driver.add(stage_of(0, std::make_unique<RepeatingOperator>(1), 0));
  driver.add(stage_of(1, std::make_unique<RepeatingOperator>(2), 0));
  Stage sink = stage_of(2, nullptr, -1);
  sink.sink = std::make_unique<CollectingSink>(rows);
  driver.add(std::move(sink));
  driver.add_tap(std::make_shared<Tap>(1, numbers_schema(), 3, INT64_MAX, [&](std::vector<std::string> more) {
    seen.insert(seen.end(), more.begin(), more.end());
  }));
  driver.push_batch(0, numbers({1, 2}));
  REQUIRE(driver.resume(INT64_MAX).value() == Flow::kNeedInput);
  REQUIRE(rows == std::vector<int64_t>{1, 1, 2, 2});
  REQUIRE(seen == std::vector<std::string>{"{\"n\":1}", "{\"n\":1}", "{\"n\":2}"});
}

TEST_CASE("A watermark follows the rows that it fires and arrives lowered by hold_back") {
  ManualClock clock;
  OutputRouter outputs;
  ChainDriver driver(outputs, clock);
  std::vector<int64_t> rows;
  driver.add(stage_of(0, std::make_unique<RepeatingOperator>(1), 0));
  auto second = std::make_unique<RepeatingOperator>(1);
  RepeatingOperator* const second_op = second.get();
  driver.add(stage_of(1, std::move(second), 0));
  Stage sink = stage_of(2, nullptr, -1);
  sink.sink = std::make_unique<CollectingSink>(rows);
  driver.add(std::move(sink));
  driver.push_watermark(100);
  REQUIRE(driver.resume(INT64_MAX).value() == Flow::kNeedInput);
  REQUIRE(second_op->advanced == std::vector<int64_t>{90, 90});
  REQUIRE(rows == std::vector<int64_t>{100, 100, 90, 90});
}

TEST_CASE("A watermark that was held back goes on behind the rows of a timer") {
  ManualClock clock;
  OutputRouter outputs;
  ChainDriver driver(outputs, clock);
  driver.add(stage_of(0, std::make_unique<WaitingOperator>(), 0));
  auto second = std::make_unique<RepeatingOperator>(1);
  RepeatingOperator* const second_op = second.get();
  driver.add(stage_of(1, std::move(second), -1));
  driver.push_timers(5);  // before any watermark: nothing to pass on
  REQUIRE(driver.resume(INT64_MAX).value() == Flow::kNeedInput);
  REQUIRE(second_op->advanced.empty());
  ChainDriver held(outputs, clock);
  held.add(stage_of(0, std::make_unique<WaitingOperator>(), 0));
  auto behind = std::make_unique<RepeatingOperator>(1);
  RepeatingOperator* const behind_op = behind.get();
  held.add(stage_of(1, std::move(behind), -1));
  held.push_watermark(100);
  REQUIRE(held.resume(INT64_MAX).value() == Flow::kNeedInput);
  REQUIRE(behind_op->advanced == std::vector<int64_t>{40, 40});
  held.push_timers(5);
  REQUIRE(held.resume(INT64_MAX).value() == Flow::kNeedInput);
  REQUIRE(behind_op->advanced == std::vector<int64_t>{40, 40, 100, 100});
}

TEST_CASE("A blocked operator says when to be called again") {
  ManualClock clock;
  OutputRouter outputs;
  ChainDriver driver(outputs, clock);
  driver.add(stage_of(0, std::make_unique<WaitingOperator>(), -1));
  REQUIRE(driver.retry_at_ms() == INT64_MAX);
  driver.push_batch(0, numbers({1}));
  REQUIRE(driver.resume(INT64_MAX).value() == Flow::kBlocked);
  REQUIRE(driver.retry_at_ms() == 7);
}

TEST_CASE("A blocked stage blocks the chain and is offered the same batch again") {
  ManualClock clock;
  OutputRouter outputs;
  ChainDriver driver(outputs, clock);
  std::vector<int64_t> rows;
  auto op = std::make_unique<RepeatingOperator>(1);
  op->block_next = true;
  driver.add(stage_of(0, std::move(op), 0));
  auto writer = std::make_unique<CollectingSink>(rows);
  writer->refuse_every_other = true;
  Stage sink = stage_of(1, nullptr, -1);
  sink.sink = std::move(writer);
  driver.add(std::move(sink));
  driver.push_batch(0, numbers({5, 6}));
  REQUIRE(driver.resume(INT64_MAX).value() == Flow::kBlocked);
  REQUIRE(driver.calls() == 0);
  int blocked = 0;
  while (driver.resume(INT64_MAX).value() == Flow::kBlocked) ++blocked;
  REQUIRE(blocked == 2);
  REQUIRE(rows == std::vector<int64_t>{5, 6});
  REQUIRE(driver.idle());
}

TEST_CASE("Nothing is called while the outputs of the task are full") {
  ManualClock clock;
  OutputRouter outputs;
  Channel channel(1);
  outputs.add(std::make_unique<EdgeOutput>(EdgeConfig{.node = 0, .schema = numbers_schema()},
                                           std::vector<ChannelOutput*>{&channel}));
  ChainDriver driver(outputs, clock);
  driver.add(stage_of(0, std::make_unique<RepeatingOperator>(1), -1));
  driver.push_batch(0, numbers({1, 2, 3}));
  REQUIRE(driver.resume(INT64_MAX).value() == Flow::kBlocked);
  REQUIRE(driver.calls() == 2);  // one batch in the channel, one in the outbox
  REQUIRE(numbers_of(channel.pop().batch) == std::vector<int64_t>{1});
  REQUIRE(driver.resume(INT64_MAX).value() == Flow::kBlocked);
  REQUIRE(driver.calls() == 3);
  REQUIRE(numbers_of(channel.pop().batch) == std::vector<int64_t>{2});
  REQUIRE(driver.resume(INT64_MAX).value() == Flow::kNeedInput);
  REQUIRE(numbers_of(channel.pop().batch) == std::vector<int64_t>{3});
}

TEST_CASE("An error names the step that it came from") {
  ManualClock clock;
  OutputRouter outputs;
  ChainDriver driver(outputs, clock);
  driver.add(stage_of(7, std::make_unique<FailingOperator>(), -1));
  driver.push_batch(0, numbers({1}));
  const auto flow = driver.resume(INT64_MAX);
  REQUIRE_FALSE(flow.has_value());
  REQUIRE(flow.error().code == ErrorCode::kEvaluation);
  REQUIRE(driver.failed_step() == "step7");
}

}  // namespace millrace
