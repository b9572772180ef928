#include "runtime/operators/window/partial_sums.h"

#include "tests/unit/operators/support.h"

namespace millrace {

namespace {

class BatchesPerPort final : public Output {
 public:
  void emit(uint32_t port, Batch batch) override { batches[port].push_back(std::move(batch)); }
  [[nodiscard]] uint32_t rows(uint32_t port) const {
    uint32_t rows = 0;
    const auto found = batches.find(port);
    if (found == batches.end()) return 0;
    for (const Batch& batch : found->second) rows += batch.selected();
    return rows;
  }
  std::map<uint32_t, std::vector<Batch>> batches;
};

/// The sums in front of an exchange and the window behind it.
struct SummedWindow {
  explicit SummedWindow(const std::string& window = "{type: tumbling, size: 10s}") {
    auto bound = bind_single_step(
        operators_registry(),
        "id: w\nkey_by: [user]\nwindow: " + window + "\naggregate: {cnt: COUNT(*), total: SUM(n), greatest: MAX(n)}",
        {"user INT, n BIGINT"});
    REQUIRE(bound);
    node = *bound;
    const auto& operators = operators_registry().factories.operators;
    sums = *operators.find(std::string(kPartialSums))->second(node, graph);
    behind = *operators.find("window")->second(node, graph);
    REQUIRE(sums->open({}));
    REQUIRE(behind->open({}));
  }

  void rows(const std::vector<int32_t>& users, int64_t n, int64_t time) {
    auto user = make_column(*make_type(TypeKind::kInt));
    auto number = make_column(*make_type(TypeKind::kBigInt));
    Batch batch;
    batch.rows = static_cast<uint32_t>(users.size());
    user->resize(batch.rows);
    number->resize(batch.rows);
    for (size_t i = 0; i < users.size(); ++i) {
      user->values<int32_t>()[i] = users[i];
      number->values<int64_t>()[i] = n;
    }
    batch.columns = {user, number};
    batch.event_times = std::make_shared<std::vector<int64_t>>(users.size(), time);
    while (*sums->process(0, batch, sent) == Flow::kMoreOutput) continue;
  }
  void watermark(int64_t time) {
    while (*sums->advance(time, sent) == Flow::kMoreOutput) continue;
  }
  /// "user:cnt/total/greatest" of all that the window makes of what was sent.
  std::vector<std::string> results() {
    BatchesPerPort out;
    for (auto& [port, batches] : sent.batches) {
      for (Batch& batch : batches) CHECK(*behind->process(port, batch, out) == Flow::kNeedInput);
    }
    while (*behind->advance(kWatermarkMax, out) == Flow::kMoreOutput) continue;
    std::vector<std::string> texts;
    for (const Batch& batch : out.batches[0]) {
      for_each_row(batch, [&](uint32_t row) {
        const auto number = [&](size_t column) {
          return std::to_string(batch.columns[column]->values<int64_t>()[row]);
        };
        texts.push_back(std::to_string(batch.columns[0]->values<int32_t>()[row]) + ":" + number(3) + "/" + number(4) +
                        "/" + number(5));
      });
    }
    std::sort(texts.begin(), texts.end());
    return texts;
  }

  JobGraph graph;
  Node node;
  OperatorPtr sums;
  OperatorPtr behind;
  BatchesPerPort sent;
};

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("rows of one pane and key leave as one, before the watermark that fires their window") {
  SummedWindow test;
  test.rows(std::vector<int32_t>(900, 7), 2, 1000);
  test.rows({7, 8, 7}, 5, 9999);
  test.watermark(9998);
  CHECK(test.sent.batches.empty());
  CHECK(test.sums->holds_rows());
  test.watermark(9999);
  CHECK(test.sent.rows(0) == 0);
  CHECK(test.sent.rows(1) == 2);
  CHECK_FALSE(test.sums->holds_rows());
  CHECK(test.results() == Texts{"7:902/1810/5", "8:1/5/5"});
}

TEST_CASE("sums are sent in pieces before a barrier, and add up behind the exchange") {
  SummedWindow test("{type: sliding, size: 10s, slide: 5s}");
  for (int64_t n = 1; n <= 3; ++n) {
    test.rows(std::vector<int32_t>(10, 7), n, 6000);
    while (*test.sums->release(test.sent) == Flow::kMoreOutput) continue;
    CHECK_FALSE(test.sums->holds_rows());
  }
  CHECK(test.sent.rows(1) == 3);
  CHECK(test.results() == Texts{"7:30/60/3", "7:30/60/3"});
}

TEST_CASE("a row of a closed pane passes as it is, for the window to judge") {
  SummedWindow test;
  test.watermark(20'000);
  test.rows({7, 7, 8}, 1, 3000);
  CHECK(test.sent.rows(0) == 3);
  test.rows({7, 7, 8}, 1, 30'000);
  CHECK(test.sent.rows(0) == 3);
}

TEST_CASE("many keys are sent on the way, and rows that gain nothing pass after a while") {
  SummedWindow test;
  int32_t next = 100;
  uint32_t given = 0;
  for (int batch = 0; batch < 40; ++batch) {
    std::vector<int32_t> users{1, 1};
    for (int i = 0; i < 2000; ++i) users.push_back(next++);
    given += static_cast<uint32_t>(users.size());
    test.rows(users, 1, 0);
  }
  CHECK(test.sent.rows(1) > 40'000);
  CHECK(test.sent.rows(0) > 10'000);
  test.watermark(9999);
  CHECK(test.sent.rows(0) + test.sent.rows(1) < given);
  const Texts results = test.results();
  CHECK(results.size() == 80'001);
  CHECK(std::count(results.begin(), results.end(), "1:80/80/1") == 1);
}

TEST_CASE("where the order of rows or a single row counts, nothing is summed up in front") {
  const auto offers = [](const std::string& window, const std::string& aggregate) {
    const auto node = bind_single_step(
        operators_registry(), "id: w\nkey_by: [user]\nwindow: {" + window + "}\naggregate: {x: " + aggregate + "}",
        {"user INT, n BIGINT"});
    REQUIRE(node);
    return std::static_pointer_cast<const WindowConfig>(node->config)->partials != nullptr;
  };
  CHECK(offers("type: tumbling, size: 1m", "AVG(n)"));
  CHECK(offers("type: cumulating, size: 1m, step: 10s", "MIN(n) FILTER (WHERE n > 0)"));
  CHECK_FALSE(offers("type: tumbling, size: 1m", "FIRST_VALUE(n)"));
  CHECK_FALSE(offers("type: tumbling, size: 1m, allowed_lateness: 1s", "SUM(n)"));
  CHECK_FALSE(offers("type: tumbling, size: 1m, time: processing", "SUM(n)"));
  CHECK_FALSE(offers("type: tumbling, size: 1m, trigger: {every_rows: 10}", "SUM(n)"));
  CHECK_FALSE(offers("type: session, gap: 1m", "SUM(n)"));
}

}  // namespace millrace
