#include <catch2/catch.hpp>

#include "connectors/kafka/row_key.h"
#include "connectors/kafka/sink_writer.h"
#include "core/clock.h"
#include "tests/unit/connectors/kafka_fake.h"

namespace millrace {

namespace {

struct SentRecord {
  std::string key;
  std::string value;
  int64_t timestamp;
};

class FakeProducer final : public KafkaProducerClient {
 public:
  bool has_room(size_t, size_t) override { return room; }
  Status send(const KafkaOutRecord& record) override {
    if (record.value.size() > value_bytes_max) return make_error(ErrorCode::kOutputRefused, "too large");
    sent.push_back({record.has_key ? std::string(record.key) : "(none)",
                    record.has_value ? std::string(record.value) : "(null)", record.timestamp});
    return {};
  }
  uint64_t end_epoch() override { return epochs++; }
  std::optional<Error> failure() override { return failed; }
  Status wait_epoch(uint64_t epoch) override {
    waited.push_back(epoch);
    if (failed) return std::unexpected(*failed);
    return {};
  }
  void cancel() override { cancelled = true; }

  bool room = true;
  bool cancelled = false;
  size_t value_bytes_max = 1000;
  uint64_t epochs = 0;
  std::vector<SentRecord> sent;
  std::vector<uint64_t> waited;
  std::optional<Error> failed;
};

class KafkaCapture final : public Output {
 public:
  void emit(uint32_t, Batch batch) override { batches.push_back(std::move(batch)); }
  std::vector<Batch> batches;
};

SchemaPtr kafka_rows_schema() {
  auto schema = std::make_shared<Schema>();
  schema->fields = {{"k", make_string()}, {"n", make_type(TypeKind::kBigInt)}, {"d", make_decimal(10, 2)}};
  return schema;
}

Batch kafka_rows(const std::vector<std::pair<std::string, RowKind>>& rows) {
  Batch batch;
  batch.rows = static_cast<uint32_t>(rows.size());
  auto arena = std::make_shared<Arena>();
  const auto schema = kafka_rows_schema();
  for (const Field& field : schema->fields) {
    auto column = make_column(*field.type);
    column->resize(batch.rows);
    for (uint32_t i = 0; i < batch.rows; ++i) {
      if (column->type() == PhysicalType::kString) column->values<StringRef>()[i] = arena->copy(rows[i].first);
      if (column->type() == PhysicalType::kInt64) column->values<int64_t>()[i] = i;
      if (column->type() == PhysicalType::kInt128) column->values<int128>()[i] = 150;
    }
    batch.columns.push_back(std::move(column));
  }
  auto kinds = std::make_shared<std::vector<uint8_t>>();
  auto times = std::make_shared<std::vector<int64_t>>();
  for (uint32_t i = 0; i < batch.rows; ++i) {
    kinds->push_back(static_cast<uint8_t>(rows[i].second));
    times->push_back(1000 + i);
  }
  batch.kinds = kinds;
  batch.event_times = times;
  batch.arenas.push_back(arena);
  return batch;
}

struct WriterUnderTest {
  explicit WriterUnderTest(const std::string& more = "", OnError on_error = OnError::kFail) {
    SinkConfig config;
    config.options = kafka_values(kafka_sink_descriptor(), "{brokers: b, topic: t" + more + "}");
    config.schema = kafka_rows_schema();
    config.key = {0};
    config.on_error = on_error;
    writer = std::make_unique<KafkaSinkWriter>(config, make_json_encoder(config.schema, {}, false),
                                               [this](const KafkaSinkOptions&, Waker*, KafkaTroubleCallback) {
                                                 return Result<KafkaProducerClientPtr>(producer);
                                               });
    context.sink = "out";
    context.clock = &clock;
    context.waker = &waker;
    REQUIRE(writer->open(context));
  }
  std::shared_ptr<FakeProducer> producer = std::make_shared<FakeProducer>();
  ManualClock clock;
  Waker waker;
  SinkContext context;
  KafkaCapture dead_letters;
  std::unique_ptr<KafkaSinkWriter> writer;
};

}  // namespace

TEST_CASE("the kafka key of one column is its plain text, of several a JSON object") {
  const Batch batch = kafka_rows({{"a\"b", RowKind::kInsert}});
  const auto key = [&](std::vector<uint32_t> columns) {
    std::string out;
    CHECK(RowKeyWriter(*kafka_rows_schema(), std::move(columns)).append(batch, 0, out));
    return out;
  };
  CHECK(key({0}) == "a\"b");
  CHECK(key({1}) == "0");
  CHECK(key({2}) == "1.50");
  CHECK(key({0, 1}) == R"({"k":"a\"b","n":0})");
}

TEST_CASE("the kafka sink writes values with keys, deletes as tombstones, and no old halves, in order") {
  WriterUnderTest test;
  const Batch batch = kafka_rows({{"a", RowKind::kInsert},
                                  {"b", RowKind::kDelete},
                                  {"a", RowKind::kUpdateBefore},
                                  {"a", RowKind::kUpdateAfter},
                                  {"a", RowKind::kDelete}});
  REQUIRE(test.writer->write(batch, test.dead_letters) == Flow::kNeedInput);
  const auto& sent = test.producer->sent;
  REQUIRE(sent.size() == 4);
  CHECK(sent[0].value == R"({"k":"a","n":0,"d":"1.50"})");
  CHECK(sent[0].timestamp == 0);
  CHECK((sent[1].key == "b" && sent[1].value == "(null)"));
  CHECK((sent[2].key == "a" && sent[2].value == R"({"k":"a","n":3,"d":"1.50"})"));
  CHECK((sent[3].key == "a" && sent[3].value == "(null)"));
}

TEST_CASE("the kafka sink stamps records with their event time when asked to") {
  WriterUnderTest test(", timestamp: event_time");
  REQUIRE(test.writer->write(kafka_rows({{"a", RowKind::kInsert}}), test.dead_letters));
  CHECK(test.producer->sent[0].timestamp == 1000);
}

TEST_CASE("a kafka sink without room takes nothing of the batch and takes it whole later") {
  WriterUnderTest test;
  test.producer->room = false;
  const Batch batch = kafka_rows({{"a", RowKind::kInsert}, {"b", RowKind::kInsert}});
  CHECK(test.writer->write(batch, test.dead_letters) == Flow::kBlocked);
  CHECK(test.producer->sent.empty());
  test.producer->room = true;
  CHECK(test.writer->write(batch, test.dead_letters) == Flow::kNeedInput);
  CHECK(test.producer->sent.size() == 2);
}

TEST_CASE("rows too large for kafka fail the task or become dead letters") {
  const Batch batch = kafka_rows({{std::string(2000, 'x'), RowKind::kInsert}, {"b", RowKind::kInsert}});
  WriterUnderTest strict;
  const auto failed = strict.writer->write(batch, strict.dead_letters);
  REQUIRE_FALSE(failed);
  CHECK(failed.error().code == ErrorCode::kOutputRefused);

  WriterUnderTest routed("", OnError::kDeadLetter);
  REQUIRE(routed.writer->write(batch, routed.dead_letters) == Flow::kNeedInput);
  CHECK(routed.producer->sent.size() == 1);
  REQUIRE(routed.dead_letters.batches.size() == 1);
  const Batch& letters = routed.dead_letters.batches[0];
  REQUIRE(letters.rows == 1);
  const auto column = [&](const char* name) {
    return letters.columns[*step_dead_letter_schema()->find(name)]->values<StringRef>()[0].view();
  };
  CHECK(column("step") == "out");
  CHECK(column("code") == "E0507");
  CHECK(column("error") == "too large");
}

TEST_CASE("a kafka sink's snapshot waits for the records before its barrier") {
  WriterUnderTest test;
  auto parts = test.writer->snapshot();
  REQUIRE(parts);
  REQUIRE(parts->size() == 1);
  CHECK(test.producer->waited.empty());
  class NoRows final : public SnapshotWriter {
    Status begin(const StateDescriptor&) override { return {}; }
    Status add(uint32_t, std::string_view, std::string_view) override { return {}; }
  } rows;
  CHECK(parts->front()->write(rows));
  CHECK(test.producer->waited == std::vector<uint64_t>{0});
}

TEST_CASE("a failed delivery fails the kafka sink's next call") {
  WriterUnderTest test;
  test.producer->failed = Error{ErrorCode::kExternalFailed, "not delivered", {}};
  CHECK_FALSE(test.writer->write(kafka_rows({{"a", RowKind::kInsert}}), test.dead_letters));
  CHECK_FALSE(test.writer->snapshot());
}

}  // namespace millrace
