#include "connectors/lookup/lookup_thread.h"

#include <condition_variable>
#include <mutex>

#include "connectors/file/lookup.h"
#include "connectors/json/register.h"
#include "data/key_format.h"
#include "tests/unit/connectors/endpoint_support.h"

namespace millrace {
namespace {

SchemaPtr lookup_schema() {
  auto schema = std::make_shared<Schema>();
  schema->fields = {{"id", make_type(TypeKind::kInt)},
                    {"name", make_string()},
                    {"price", make_decimal(10, 2)},
                    {"vip", make_type(TypeKind::kBoolean)}};
  return schema;
}

/// BIGINT keys in key format.
std::vector<std::string> lookup_keys(const std::vector<int64_t>& values) {
  std::vector<std::string> keys;
  for (const int64_t value : values) {
    Column column(PhysicalType::kInt64);
    column.resize(1);
    column.values<int64_t>()[0] = value;
    append_key_value(column, 0, keys.emplace_back());
  }
  return keys;
}

class FakeTarget final : public LookupTarget {
 public:
  struct Log {
    int connects = 0;
    int troubles = 0;
  };
  explicit FakeTarget(Log& log) : log_(log) {}
  Status connect(const std::atomic<bool>&) override {
    ++log_.connects;
    return {};
  }
  Status find(const std::vector<std::vector<std::string>>& keys, LookupRows& rows) override {
    for (uint32_t i = 0; i < keys.size(); ++i) {
      if (keys[i][0] == "13") {
        ++log_.troubles;
        return make_error(ErrorCode::kUnreachable, "away");
      }
      if (keys[i][0] == "1") MR_TRY(rows.add(i, {"1", "one", "1.5", "true"}));
      if (keys[i][0] == "-2") MR_TRY(rows.add(i, {"-2", std::nullopt, std::nullopt, std::nullopt}));
    }
    return {};
  }

 private:
  Log& log_;
};

/// The next answer, however long it takes.
LookupAnswer next_answer(LookupSource& source, Waker& waker) {
  LookupAnswer answer;
  while (!source.take(answer)) waker.wait(-1);
  return answer;
}

}  // namespace

TEST_CASE("texts of a table become typed rows, and what does not fit is said with its column") {
  auto rows = LookupRows::make(lookup_schema());
  REQUIRE(rows);
  REQUIRE(rows->add(3, {"7", "a", "12.345", "false"}));
  REQUIRE(rows->add(5, {std::nullopt, "b", std::nullopt, std::nullopt}));
  LookupAnswer answer;
  rows->finish(answer);
  REQUIRE(answer.rows.rows == 2);
  CHECK(answer.key_of_row == std::vector<uint32_t>{3, 5});
  CHECK(answer.rows.columns[0]->values<int32_t>()[0] == 7);
  CHECK(answer.rows.columns[0]->is_null(1));
  CHECK(answer.rows.columns[1]->values<StringRef>()[1].view() == "b");
  CHECK(answer.rows.columns[2]->is_null(1));
  const Status refused = rows->add(0, {"seven", "a", "1", "true"});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.starts_with("`id`: "));
}

TEST_CASE("keys are asked for as plain texts") {
  const LookupKeys keys({make_type(TypeKind::kBigInt)}, {});
  const auto texts = keys.texts(lookup_keys({-12})[0]);
  REQUIRE(texts);
  CHECK(*texts == std::vector<std::string>{"-12"});
}

TEST_CASE("the thread of a table answers every question and connects again after trouble") {
  FakeTarget::Log log;
  Waker waker;
  {
    auto rows = LookupRows::make(lookup_schema());
    REQUIRE(rows);
    LookupThread source(std::make_unique<FakeTarget>(log), LookupKeys({make_type(TypeKind::kBigInt)}, {}),
                        std::move(*rows));
    REQUIRE(source.open({"step", 0, nullptr, &waker}));
    source.ask(1, lookup_keys({5, 1, -2}), 0);
    const LookupAnswer first = next_answer(source, waker);
    REQUIRE(first.status);
    CHECK(first.ticket == 1);
    CHECK(first.key_of_row == std::vector<uint32_t>{1, 2});
    CHECK(first.rows.columns[1]->values<StringRef>()[0].view() == "one");
    source.ask(2, lookup_keys({1, 13}), 0);
    const LookupAnswer second = next_answer(source, waker);
    REQUIRE_FALSE(second.status);
    CHECK(second.status.error().transient());
    source.ask(3, lookup_keys({1}), 1);
    const LookupAnswer third = next_answer(source, waker);
    REQUIRE(third.status);
    CHECK(third.rows.rows == 1);  // what the failed question had found is gone
  }
  CHECK(log.connects == 2);
}

TEST_CASE("a table of files is read at the start, and anew after `reload`") {
  const TemporaryDirectory directory;
  directory.write("t.jsonl", "{\"id\":1,\"name\":\"one\"}\n{\"id\":2,\"name\":\"two\"}\n{\"id\":1,\"name\":\"uno\"}\n");
  Registry registry;
  register_json(registry);
  LookupConfig config;
  config.connector = "file";
  config.format.name = "json";
  config.schema = lookup_schema();
  config.keys = {0};
  config.key_types = {make_type(TypeKind::kBigInt)};
  OptionValue path;
  path.value = directory.file("t.jsonl");
  config.options.set("path", path);
  OptionValue reload;
  reload.value = int64_t{1000};
  config.options.set("reload", reload);
  const auto source = file_lookup_descriptor().make(config, registry);
  REQUIRE(source);
  ManualClock clock;
  Waker waker;
  REQUIRE((*source)->open({"step", 0, &clock, &waker}));
  const auto names = [&] {
    (*source)->ask(1, lookup_keys({1, 3, 2}), 0);
    LookupAnswer answer;
    REQUIRE((*source)->take(answer));
    REQUIRE(answer.status);
    std::string text;
    for (uint32_t row = 0; row < answer.rows.rows; ++row) {
      text += std::to_string(answer.key_of_row[row]) + "=" +
              std::string(answer.rows.columns[1]->values<StringRef>()[row].view()) + " ";
    }
    return text;
  };
  CHECK(names() == "0=one 0=uno 2=two ");
  directory.write("t.jsonl", "{\"id\":3,\"name\":\"three\"}\n");
  CHECK(names() == "0=one 0=uno 2=two ");
  clock.advance_ms(1000);
  CHECK(names() == "1=three ");
}

}  // namespace millrace
