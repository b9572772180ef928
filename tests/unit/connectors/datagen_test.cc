#include <catch2/catch.hpp>
#include <set>

#include "connectors/datagen/datagen_source.h"
#include "connectors/datagen/generator.h"
#include "tests/unit/connectors/endpoint_support.h"

using namespace millrace;

namespace {

SourceColumn generated(std::string name, std::string_view type, std::string generator) {
  SourceColumn column;
  column.name = std::move(name);
  column.type = *parse_type(type);
  column.generator = std::move(generator);
  return column;
}

DatagenOptions datagen(std::vector<SourceColumn> columns) {
  OptionValues none;
  for (const char* name : {"seed", "rows", "rows_per_second"}) none.set(name, OptionValue{});
  auto options = datagen_options(none, columns);
  if (!options) FAIL(options.error().message);
  return *options;
}

/// One subtask.
struct DatagenRun {
  ManualClock clock{5000};
  SourceReaderPtr reader;
  SchemaPtr schema;
  std::string rows;

  DatagenRun(const DatagenOptions& options, uint32_t subtask = 0, uint32_t parallelism = 1,
             std::vector<SplitState> splits = {}) {
    auto made = Schema{};
    for (size_t i = 0; i < options.columns.size(); ++i)
      made.fields.push_back({"c" + std::to_string(i), options.columns[i].type});
    schema = std::make_shared<Schema>(made);
    reader = *make_datagen_source(options);
    SourceContext context;
    context.clock = &clock;
    context.subtask = subtask;
    context.parallelism = parallelism;
    context.restored = !splits.empty();
    context.splits = std::move(splits);
    REQUIRE(reader->open(context));
  }
  PollResult poll(uint32_t max_rows = 100) {
    SourceChunk chunk;
    auto result = reader->poll(max_rows, chunk);
    REQUIRE(result);
    if (*result == PollResult::kData) {
      const auto& batch = std::get<Batch>(chunk.payload);
      CHECK(batch.rows <= max_rows);
      rows += Decoded::batch_as_json(batch, schema);
    }
    return *result;
  }
  PollResult drain(uint32_t max_rows = 100) {
    PollResult result = PollResult::kData;
    while (result == PollResult::kData) result = poll(max_rows);
    return result;
  }
};

std::multiset<std::string> json_lines(const std::string& rows) {
  std::multiset<std::string> lines;
  for (size_t at = 0; at < rows.size();) {
    const size_t end = rows.find('}', at) + 1;
    lines.insert(rows.substr(at, end - at));
    at = end;
  }
  return lines;
}

const std::vector<SourceColumn>& mixed_columns() {
  static const std::vector<SourceColumn> columns = {generated("n", "BIGINT", "SEQUENCE(1, 50)"),
                                                    generated("u", "STRING", "'u' RANDOM(1, 9) '!'"),
                                                    generated("x", "DOUBLE", "RANDOM(-1, 1)"),
                                                    generated("c", "STRING", "CHOICE('a', 'it''s', 'b')"),
                                                    generated("d", "DECIMAL(6,2)", "RANDOM(0, 99.5) NULLS(0.5)"),
                                                    generated("l", "STRING", "LENGTH(30)")};
  return columns;
}

}  // namespace

TEST_CASE("datagen: a sequence counts and ends the source", "[datagen]") {
  DatagenRun run(datagen({generated("n", "BIGINT", "SEQUENCE(1, 3)")}));
  CHECK(run.drain() == PollResult::kEnd);
  CHECK(run.rows == R"({"c0":1}{"c0":2}{"c0":3})");
  CHECK(run.reader->split_finished(0));
  DatagenRun down(datagen({generated("n", "INT", "SEQUENCE(3, -3, -2)"), generated("d", "DECIMAL(5,1)", "SEQUENCE(1)"),
                           generated("t", "TIMESTAMP(3)", "SEQUENCE(0, 100000, 500)")}));
  CHECK(down.drain() == PollResult::kEnd);
  CHECK(down.rows == R"({"c0":3,"c1":"1.0","c2":0}{"c0":1,"c1":"2.0","c2":500}{"c0":-1,"c1":"3.0","c2":1000})"
                     R"({"c0":-3,"c1":"4.0","c2":1500})");
}

TEST_CASE("datagen: random values stay inside their range and reach its ends", "[datagen]") {
  auto spec = ColumnGenerator::make(make_type(TypeKind::kInt), "RANDOM(-2, 2)", 1, 0);
  REQUIRE(spec);
  Arena arena;
  const ColumnPtr column = spec->fill(0, 1, 1000, 0, arena);
  std::set<int32_t> seen(column->values<int32_t>(), column->values<int32_t>() + 1000);
  CHECK(seen == std::set<int32_t>{-2, -1, 0, 1, 2});
  auto skewed = ColumnGenerator::make(make_type(TypeKind::kInt), "SKEWED(0, 99)", 1, 0);
  REQUIRE(skewed);
  const ColumnPtr values = skewed->fill(0, 1, 1000, 0, arena);
  const auto hot =
      std::count_if(values->values<int32_t>(), values->values<int32_t>() + 1000, [](int32_t v) { return v < 10; });
  CHECK(hot > 850);
  CHECK(hot < 970);
}

TEST_CASE("datagen: every type has a default generator", "[datagen]") {
  DatagenOptions options =
      datagen({generated("a", "BOOLEAN", ""), generated("b", "TINYINT", ""), generated("c", "BIGINT", ""),
               generated("d", "DOUBLE", ""), generated("e", "DECIMAL(38,3)", ""), generated("f", "STRING", ""),
               generated("g", "TIMESTAMP(3)", ""), generated("h", "DATE", ""), generated("i", "TIME", ""),
               generated("j", "BYTES", "")});
  options.rows = 500;
  DatagenRun run(options);
  CHECK(run.drain() == PollResult::kEnd);
  CHECK(json_lines(run.rows).size() == 500);
  CHECK(run.rows.find("\"c6\":5000,") != std::string::npos);
}

TEST_CASE("datagen: the same seed gives the same rows, another seed others", "[datagen]") {
  DatagenOptions options = datagen(mixed_columns());
  DatagenRun first(options);
  DatagenRun second(options);
  first.drain(7);
  second.drain(100);
  CHECK(first.rows == second.rows);
  options.seed = 1;
  DatagenRun third(options);
  third.drain();
  CHECK(third.rows != first.rows);
}

TEST_CASE("datagen: restore and rescale continue exactly", "[datagen]") {
  const DatagenOptions options = datagen(mixed_columns());
  DatagenRun all(options);
  all.drain();
  const auto expected = json_lines(all.rows);
  REQUIRE(expected.size() == 50);
  for (const uint32_t before : {1U, 2U, 3U}) {
    for (const uint32_t after : {1U, 2U, 5U}) {
      std::vector<SplitState> states;
      std::string rows;
      for (uint32_t subtask = 0; subtask < before; ++subtask) {
        DatagenRun run(options, subtask, before);
        run.poll(subtask * 4 + 1);
        rows += run.rows;
        states.push_back({run.reader->split_id(0), run.reader->split_state(0)});
      }
      for (uint32_t subtask = 0; subtask < after; ++subtask) {
        DatagenRun run(options, subtask, after, states);
        CHECK(run.drain(3) == PollResult::kEnd);
        rows += run.rows;
      }
      CHECK(json_lines(rows) == expected);
    }
  }
}

TEST_CASE("datagen: a rate is kept", "[datagen]") {
  DatagenOptions options = datagen({generated("n", "INT", "SEQUENCE(0)")});
  options.rows_per_second = 10;
  DatagenRun run(options);
  CHECK(run.drain() == PollResult::kNothing);
  CHECK(json_lines(run.rows).size() == 1);  // the first row at once
  CHECK(run.reader->next_poll_ms() == 5100);
  run.clock.advance_ms(99);
  CHECK(run.poll() == PollResult::kNothing);
  run.clock.advance_ms(1);
  CHECK(run.poll() == PollResult::kData);
  CHECK(run.poll() == PollResult::kNothing);
  run.clock.advance_ms(1000);
  CHECK(run.drain() == PollResult::kNothing);
  CHECK(json_lines(run.rows).size() == 12);
}

TEST_CASE("datagen: generators that make no sense are refused", "[datagen]") {
  const auto refused = [](std::string_view type, std::string_view text) {
    return !ColumnGenerator::make(*parse_type(type), text, 0, 0);
  };
  CHECK(refused("INT", "SEQUENCES(1, 2)"));
  CHECK(refused("INT", "RANDOM(2, 1)"));
  CHECK(refused("INT", "RANDOM(1)"));
  CHECK(refused("INT", "SEQUENCE(1, 5, 0)"));
  CHECK(refused("INT", "SEQUENCE(1, 5, -1)"));
  CHECK(refused("INT", "CHOICE('a')"));
  CHECK(refused("INT", "CHOICE()"));
  CHECK(refused("INT", "LENGTH(3)"));
  CHECK(refused("INT", "'u' RANDOM(1, 2)"));
  CHECK(refused("INT NOT NULL", "RANDOM(1, 2) NULLS(0.1)"));
  CHECK(refused("STRING", "LENGTH(x)"));
  CHECK(refused("STRING", "CHOICE('a"));
  CHECK(refused("INT", "RANDOM(1, 2) junk"));
  CHECK(refused("ARRAY<INT>", ""));
  CHECK_FALSE(refused("STRING", "random(1, 2)"));
}
