#include <catch2/catch.hpp>

#include "connectors/kafka/discovery.h"
#include "connectors/kafka/source_reader.h"
#include "core/clock.h"
#include "tests/unit/connectors/kafka_fake.h"

namespace millrace {

namespace {

SourceConfig kafka_source_config(const std::string& more) {
  SourceConfig config;
  config.connector = "kafka";
  config.options = kafka_values(kafka_source_descriptor(), "{brokers: b, topics: [t]" + more + "}");
  return config;
}

struct ReaderUnderTest {
  explicit ReaderUnderTest(FakeKafka& kafka, const std::string& more, std::vector<SplitState> splits = {})
      : reader(kafka_source_config(more), [&kafka](const KafkaSettings&, Waker*, KafkaTroubleCallback) {
          return Result<KafkaConsumerClientPtr>(std::make_unique<FakeConsumer>(kafka));
        }) {
    context.source = "s";
    context.job_name = "job";
    context.clock = &clock;
    context.waker = &waker;
    context.restored = !splits.empty();
    context.splits = std::move(splits);
  }

  /// Polls until rows come, the end is reached, an error is answered, or nothing came for a second (REQUIREd not to
  /// be).
  Result<PollResult> next(SourceChunk& chunk, uint32_t max_rows = 100) {
    while (true) {
      Result<PollResult> polled = reader.poll(max_rows, chunk);
      if (!polled || *polled != PollResult::kNothing) return polled;
      waker.wait(1000);
    }
  }
  /// "topic/partition@offset=value" of everything up to the end.
  std::vector<std::string> read_all(uint32_t max_rows = 100) {
    std::vector<std::string> all;
    SourceChunk chunk;
    while (true) {
      const Result<PollResult> polled = next(chunk, max_rows);
      if (!polled) return all.push_back(polled.error().to_string()), all;
      if (*polled == PollResult::kEnd) return all;
      for (const Record& record : std::get<RecordBatch>(chunk.payload).records)
        all.push_back(reader.split_id(chunk.split) + "@" + std::to_string(record.offset) + "=" +
                      std::string(record.value.view()));
    }
  }

  ManualClock clock;
  Waker waker;
  SourceContext context;
  KafkaSourceReader reader;
};

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("every kafka partition belongs to exactly one subtask, and neighbours to different ones") {
  for (int32_t partition = 0; partition < 16; ++partition) {
    CHECK(kafka_split_owner({"events", partition}, 4) < 4);
    CHECK(kafka_split_owner({"events", partition}, 4) != kafka_split_owner({"events", partition + 1}, 4));
  }
}

TEST_CASE("a bounded kafka source ends at the end that the topic had at first sight") {
  FakeKafka kafka;
  for (const char* value : {"a", "b", "c"}) kafka.logs[{"t", 0}].append(value);
  ReaderUnderTest test(kafka, ", bounded: latest");
  REQUIRE(test.reader.open(test.context));
  CHECK(test.read_all(2) == Lines{"t/0@0=a", "t/0@1=b", "t/0@2=c"});
  CHECK(test.reader.split_state(0) == "3/3");
  CHECK(test.reader.split_finished(0));
}

TEST_CASE("a bounded kafka source ends behind transaction markers, which are never delivered") {
  FakeKafka kafka;
  kafka.logs[{"t", 0}].append("a");
  kafka.logs[{"t", 0}].append_control();
  ReaderUnderTest test(kafka, ", bounded: latest");
  REQUIRE(test.reader.open(test.context));
  CHECK(test.read_all() == Lines{"t/0@0=a"});
  CHECK(test.reader.split_state(0) == "2/2");
}

TEST_CASE("records behind the stop of a bounded kafka source are not delivered") {
  FakeKafka kafka;
  for (const char* value : {"a", "b", "c"}) kafka.logs[{"t", 0}].append(value);
  ReaderUnderTest test(kafka, ", bounded: {offsets: {t: {0: 2}}}");
  REQUIRE(test.reader.open(test.context));
  CHECK(test.read_all() == Lines{"t/0@0=a", "t/0@1=b"});
}

TEST_CASE("a restored kafka position wins over start_from") {
  FakeKafka kafka;
  for (const char* value : {"a", "b", "c"}) kafka.logs[{"t", 0}].append(value);
  ReaderUnderTest test(kafka, ", start_from: earliest, bounded: latest", {{"t/0", "2/3"}});
  REQUIRE(test.reader.open(test.context));
  CHECK(test.read_all() == Lines{"t/0@2=c"});
}

TEST_CASE("a restored bounded kafka source ignores partitions that the topic has got since") {
  FakeKafka kafka;
  kafka.logs[{"t", 0}].append("a");
  kafka.logs[{"t", 1}].append("new");
  ReaderUnderTest test(kafka, ", bounded: latest", {{"t/0", "0/1"}});
  REQUIRE(test.reader.open(test.context));
  CHECK(test.read_all() == Lines{"t/0@0=a"});
}

TEST_CASE("a kafka partition found later starts at its beginning although start_from is latest") {
  FakeKafka kafka;
  kafka.logs[{"t", 0}].append("old");
  kafka.logs[{"t", 1}].append("new");
  FakeConsumer client(kafka);
  SourceConfig config = kafka_source_config(", start_from: latest");
  KafkaKnown known;
  known.partitions = {{"t", 0}};
  known.topics = {"t"};
  const auto found = discover_kafka_splits(client, read_kafka_source(config, "g"), known, 1);
  REQUIRE(found);
  REQUIRE(found->size() == 1);
  CHECK(found->front().partition.partition == 1);
  CHECK(found->front().start == 0);
}

TEST_CASE("kafka start positions are resolved at first sight") {
  FakeKafka kafka;
  FakeLog& log = kafka.logs[{"t", 0}];
  log.first = log.end = 10;
  for (const char* value : {"a", "b", "c"}) log.append(value);
  kafka.group[{"t", 0}] = 12;
  kafka.times[{"t", 0}] = {{100, 11}};
  FakeConsumer client(kafka);
  const auto start_of = [&](const std::string& more) {
    KafkaKnown known;
    const auto found = discover_kafka_splits(client, read_kafka_source(kafka_source_config(more), "g"), known, 1);
    REQUIRE(found);
    return found->at(0).start;
  };
  CHECK(start_of("") == 10);
  CHECK(start_of(", start_from: latest") == 13);
  CHECK(start_of(", group_id: g, start_from: committed") == 12);
  CHECK(start_of(", start_from: {timestamp: 50}") == 11);
  CHECK(start_of(", start_from: {timestamp: 101}") == 13);
  CHECK(start_of(", start_from: {offsets: {t: {0: 11}}}") == 11);
  kafka.group.clear();
  CHECK(start_of(", group_id: g, start_from: committed") == 10);
}

TEST_CASE("a kafka position outside the log fails with the partition, the position and the range") {
  FakeKafka kafka;
  FakeLog& log = kafka.logs[{"t", 0}];
  log.first = log.end = 10;
  log.append("a");
  ReaderUnderTest test(kafka, ", bounded: latest", {{"t/0", "3/11"}});
  REQUIRE(test.reader.open(test.context));
  const Lines lines = test.read_all();
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].find("E0307") == 0);
  CHECK(lines[0].find("t/0") != std::string::npos);
  CHECK(lines[0].find("position 3") != std::string::npos);
  CHECK(lines[0].find("[10, 11)") != std::string::npos);
}

TEST_CASE("on_lost_offset earliest goes on at the beginning of what is left") {
  FakeKafka kafka;
  FakeLog& log = kafka.logs[{"t", 0}];
  log.first = log.end = 10;
  log.append("a");
  ReaderUnderTest test(kafka, ", bounded: latest, on_lost_offset: earliest", {{"t/0", "3/11"}});
  REQUIRE(test.reader.open(test.context));
  CHECK(test.read_all() == Lines{"t/0@10=a"});
}

TEST_CASE("a kafka topic that does not exist is an error that names it") {
  FakeKafka kafka;
  ReaderUnderTest test(kafka, "");
  REQUIRE(test.reader.open(test.context));
  SourceChunk chunk;
  const Result<PollResult> polled = test.next(chunk);
  REQUIRE_FALSE(polled);
  CHECK(polled.error().code == ErrorCode::kMissingTopic);
  CHECK(polled.error().message.find("topic t") != std::string::npos);
}

TEST_CASE("kafka partitions are read in the order of their event time") {
  FakeKafka kafka;
  for (int i = 0; i < 6; ++i) {
    kafka.logs[{"t", 0}].append("0");
    kafka.logs[{"t", 1}].append("1");
  }
  ReaderUnderTest test(kafka, ", bounded: latest");
  REQUIRE(test.reader.open(test.context));
  SourceChunk chunk;
  std::map<std::string, int64_t> time;  // partition 1 advances ten times faster
  std::string order;
  while (*test.next(chunk, 1) == PollResult::kData) {
    const std::string id = test.reader.split_id(chunk.split);
    order += id.back();
    time[id] += id.back() == '0' ? 1000 : 10'000;
    test.reader.split_progress(chunk.split, time[id]);
  }
  // After one record each, partition 0 catches up before partition 1 goes on.
  CHECK(std::count(order.begin(), order.begin() + 7, '1') == 1);
  CHECK(std::count(order.begin(), order.end(), '1') == 6);
}

TEST_CASE("a kafka partition above the limit of max_drift delivers nothing until the limit rises") {
  FakeKafka kafka;
  for (int i = 0; i < 3; ++i) kafka.logs[{"t", 0}].append("0");
  ReaderUnderTest test(kafka, ", bounded: latest");
  REQUIRE(test.reader.open(test.context));
  SourceChunk chunk;
  test.reader.hold_above(10);
  REQUIRE(*test.next(chunk, 1) == PollResult::kData);
  test.reader.split_progress(0, 10);
  REQUIRE(*test.next(chunk, 1) == PollResult::kData);
  test.reader.split_progress(0, 11);
  REQUIRE(*test.reader.poll(1, chunk) == PollResult::kNothing);
  test.reader.hold_above(11);
  REQUIRE(*test.next(chunk, 1) == PollResult::kData);
}

TEST_CASE("group offsets follow completed checkpoints when the source has a group") {
  FakeKafka kafka;
  kafka.logs[{"t", 0}].append("a");
  ReaderUnderTest test(kafka, ", group_id: g, bounded: latest");
  REQUIRE(test.reader.open(test.context));
  CHECK(test.read_all().size() == 1);
  test.reader.checkpoint_completed(1, {{"t/0", "1/1"}});
  while (true) {
    const std::lock_guard lock(kafka.mutex);
    if (kafka.committed_by_us.contains({"t", 0})) break;
  }
  CHECK(kafka.committed_by_us[{"t", 0}] == 1);
}

}  // namespace millrace
