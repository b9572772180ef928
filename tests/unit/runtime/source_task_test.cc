#include "runtime/source_task.h"

#include <catch2/catch.hpp>
#include <deque>

#include "tests/unit/runtime/mini_job.h"

namespace millrace {

namespace {

/// Delivers what the test put in; splits "s/0", "s/1" …
class ScriptedReader final : public SourceReader {
 public:
  struct Chunk {
    uint32_t split;
    std::vector<int64_t> times;
  };
  Status open(SourceContext& context) override {
    opened_with = context.splits;
    return {};
  }
  Result<PollResult> poll(uint32_t max_rows, SourceChunk& chunk) override {
    rows_allowed = max_rows;
    if (chunks.empty()) return ended ? PollResult::kEnd : PollResult::kNothing;
    chunk.split = chunks.front().split;
    chunk.payload = numbers(chunks.front().times);
    chunks.pop_front();
    return PollResult::kData;
  }
  uint32_t split_count() const override { return splits; }
  bool splits_known() const override { return known; }
  std::string split_id(uint32_t split) const override { return "s/" + std::to_string(split); }
  std::string split_state(uint32_t split) const override { return "position " + std::to_string(split); }
  bool split_at_end(uint32_t) const override { return chunks.empty(); }
  bool split_finished(uint32_t) const override { return false; }
  void checkpoint_completed(int64_t, const std::vector<SplitState>& states) override { committed = states; }
  bool hold_above(int64_t event_time) override {
    held_above = event_time;
    return false;
  }

  std::deque<Chunk> chunks;
  uint32_t splits = 2;
  bool known = true;
  bool ended = false;
  int64_t held_above = INT64_MAX;
  uint32_t rows_allowed = 0;
  std::vector<SplitState> opened_with;
  std::vector<SplitState> committed;
};

class RowsOutput final : public Output {
 public:
  void emit(uint32_t port, Batch batch) override {
    for (const int64_t n : numbers_of(batch)) rows[port].push_back(n);
  }
  std::map<uint32_t, std::vector<int64_t>> rows;
};

struct SourceFixture {
  explicit SourceFixture(EventTimeConfig event_time, uint32_t splits = 2, const RestoredState* restored = nullptr,
                         const std::shared_ptr<SourceAlignment>& alignment = nullptr) {
    SourceTaskConfig config;
    auto source = std::make_shared<SourceConfig>();
    source->columns.push_back(number_column());
    source->event_time = event_time;
    config.step = "events";
    config.alignment = alignment;
    if (alignment) config.alignment_member = alignment->join();
    config.source = source;
    config.schema = numbers_schema();
    config.ahead_port = 2;
    auto owned = std::make_unique<ScriptedReader>();
    reader = owned.get();
    reader->splits = splits;
    task = std::make_unique<SourceTask>(std::move(config), std::move(owned), nullptr, SourceMetrics{});
    REQUIRE(task->open(restored).has_value());
  }
  SourceEvent next() { return task->next(now_ms, out).value(); }

  ScriptedReader* reader = nullptr;
  std::unique_ptr<SourceTask> task;
  RowsOutput out;
  int64_t now_ms = 1'000'000;
};

EventTimeConfig times_of(WatermarkEmit emit) {
  EventTimeConfig config;
  config.column = 0;
  config.emit = emit;
  config.out_of_orderness_ms = 4;
  return config;
}

}  // namespace

TEST_CASE("A source's watermark waits for its slowest split") {
  SourceFixture source(times_of(WatermarkEmit::kBatch));
  source.reader->chunks = {{0, {10, 30}}, {1, {20}}};
  REQUIRE(source.next() == SourceEvent::kProgress);
  REQUIRE(source.next() == SourceEvent::kProgress);  // split 1 has shown nothing before this
  REQUIRE(source.next() == SourceEvent::kWatermark);
  REQUIRE(source.task->watermark() == 15);
  REQUIRE(source.out.rows[0] == std::vector<int64_t>{10, 30, 20});
  REQUIRE(source.next() == SourceEvent::kNothing);
}

TEST_CASE("With emit: record a source reads one row at a time") {
  SourceFixture source(times_of(WatermarkEmit::kRecord));
  REQUIRE(source.next() == SourceEvent::kNothing);
  REQUIRE(source.reader->rows_allowed == 1);
}

TEST_CASE("With emit: interval a watermark leaves at most every interval") {
  SourceFixture source(times_of(WatermarkEmit::kInterval), 1);
  source.reader->chunks = {{0, {10}}, {0, {20}}};
  REQUIRE(source.next() == SourceEvent::kProgress);
  REQUIRE(source.next() == SourceEvent::kProgress);
  REQUIRE(source.next() == SourceEvent::kNothing);
  REQUIRE(source.task->next_wakeup_ms() == source.now_ms + 200);
  source.now_ms += 199;
  REQUIRE(source.next() == SourceEvent::kNothing);
  source.now_ms += 1;
  REQUIRE(source.next() == SourceEvent::kWatermark);
  REQUIRE(source.task->watermark() == 15);
}

TEST_CASE("A silent split at its end turns idle after the timeout, back-pressure not counted") {
  EventTimeConfig config = times_of(WatermarkEmit::kBatch);
  config.idle_timeout_ms = 100;
  SourceFixture source(config);
  source.reader->chunks = {{0, {50}}};
  REQUIRE(source.next() == SourceEvent::kProgress);
  source.task->blocked(source.now_ms);
  source.now_ms += 500;  // blocked all the while
  REQUIRE(source.next() == SourceEvent::kNothing);
  source.now_ms += 99;
  source.reader->chunks = {{0, {60}}};
  REQUIRE(source.next() == SourceEvent::kProgress);
  source.now_ms += 1;
  REQUIRE(source.next() == SourceEvent::kWatermark);  // split 1 does not count any more
  REQUIRE(source.task->watermark() == 55);
  source.now_ms += 100;
  REQUIRE(source.next() == SourceEvent::kIdle);
  source.reader->chunks = {{1, {70}}};
  REQUIRE(source.next() == SourceEvent::kProgress);
  REQUIRE(source.next() == SourceEvent::kActive);
}

TEST_CASE("The end of a bounded source is a watermark of the highest value and then the end, once") {
  SourceFixture source(times_of(WatermarkEmit::kInterval));
  source.reader->ended = true;
  source.reader->chunks = {{0, {10}}};
  REQUIRE(source.next() == SourceEvent::kProgress);
  REQUIRE(source.next() == SourceEvent::kProgress);
  REQUIRE(source.next() == SourceEvent::kWatermark);
  REQUIRE(source.task->watermark() == kWatermarkMax);
  REQUIRE(source.next() == SourceEvent::kEnd);
  REQUIRE(source.next() == SourceEvent::kNothing);
}

TEST_CASE("A restored source announces its watermark before its first row") {
  MemorySnapshot snapshot;
  {
    SourceFixture before(times_of(WatermarkEmit::kBatch));
    before.reader->chunks = {{0, {100}}, {1, {200}}};
    while (before.next() != SourceEvent::kWatermark) {
    }
    const SnapshotPartPtr part = before.task->snapshot(7);
    REQUIRE(part->write(snapshot).has_value());
    before.task->checkpoint_completed(7);
    REQUIRE(before.reader->committed.size() == 2);
    REQUIRE(before.reader->committed[1].state == "position 1");
  }
  SourceFixture after(times_of(WatermarkEmit::kBatch), 2, &snapshot);
  REQUIRE(after.reader->opened_with.size() == 2);
  REQUIRE(after.reader->opened_with[0].state == "position 0");
  after.reader->chunks = {{0, {100}}};
  REQUIRE(after.next() == SourceEvent::kWatermark);
  REQUIRE(after.task->watermark() == 95);
  REQUIRE(after.out.rows.empty());
}

TEST_CASE("A timestamp too far ahead goes to its own port and never moves the watermark") {
  EventTimeConfig config = times_of(WatermarkEmit::kBatch);
  config.max_ahead_ms = 1000;
  SourceFixture source(config, 1);
  source.reader->chunks = {{0, {source.now_ms + 1001, source.now_ms + 1000}}};
  REQUIRE(source.next() == SourceEvent::kProgress);
  REQUIRE(source.next() == SourceEvent::kWatermark);
  REQUIRE(source.task->watermark() == source.now_ms + 1000 - 5);
  REQUIRE(source.out.rows[0] == std::vector<int64_t>{source.now_ms + 1000});
  REQUIRE(source.out.rows[2] == std::vector<int64_t>{source.now_ms + 1001});
}

TEST_CASE("A source that does not know its splits yet is not idle") {
  EventTimeConfig config = times_of(WatermarkEmit::kBatch);
  config.idle_timeout_ms = 100;
  SourceFixture source(config, 0);
  source.reader->known = false;
  CHECK(source.next() == SourceEvent::kNothing);
  source.now_ms += 1000;
  CHECK(source.next() == SourceEvent::kNothing);
  source.reader->known = true;
  CHECK(source.next() == SourceEvent::kIdle);
}

TEST_CASE("max_drift: the slowest split of all sources holds the others until it moves, turns idle or ends") {
  EventTimeConfig config = times_of(WatermarkEmit::kBatch);
  config.max_drift_ms = 100;
  config.idle_timeout_ms = 50;
  const auto alignment = std::make_shared<SourceAlignment>();
  SourceFixture fast(config, 1, nullptr, alignment);
  SourceFixture slow(config, 1, nullptr, alignment);
  const auto rows_of = [](SourceFixture& source) {
    for (int i = 0; i < 8; ++i) (void)source.next();
    return source.out.rows[0].size();
  };
  slow.reader->chunks = {{0, {10}}};
  fast.reader->chunks = {{0, {5}}, {0, {130}}, {0, {131}}, {0, {500}}, {0, {900}}};
  CHECK(rows_of(slow) == 1);
  CHECK(rows_of(fast) == 2);  // 130 is more than 100 beyond 10
  CHECK(fast.reader->held_above == 110);
  CHECK(fast.task->next_wakeup_ms() == fast.now_ms + 20);
  slow.reader->chunks = {{0, {30}}};
  CHECK(rows_of(slow) == 2);
  CHECK(rows_of(fast) == 3);  // 130 is not beyond 30 + 100, but 131 is
  slow.now_ms += 49;
  CHECK(rows_of(slow) == 2);
  CHECK(rows_of(fast) == 3);
  slow.now_ms += 1;
  CHECK(rows_of(slow) == 2);  // idle now
  CHECK(rows_of(fast) == 5);
}

}  // namespace millrace
