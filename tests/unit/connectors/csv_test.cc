#include <catch2/catch.hpp>

#include "connectors/csv/csv_format.h"
#include "connectors/csv/register.h"
#include "connectors/raw/register.h"
#include "core/random.h"
#include "runtime/spi/factories.h"
#include "tests/unit/connectors/decode_support.h"

using namespace millrace;

namespace {

Decoded::Make csv_maker(CsvOptions options = {}) {
  return [options](const std::vector<DecodeColumn>& columns) { return make_csv_decoder(options, columns); };
}

std::string csv_rows(std::string_view schema, RecordSet records, CsvOptions options = {}) {
  Decoded decoded(csv_maker(options), schema, std::move(records));
  std::string text = decoded.rows_as_json();
  for (const BadRecord& bad : decoded.result.bad) text += "bad: " + bad.message;
  return text;
}

std::string csv_encode(const CsvOptions& options, const Decoded& decoded, bool with_op = false) {
  const Batch batch = decoded.as_batch();
  std::vector<uint32_t> rows;
  for_each_row(batch, [&](uint32_t row) { rows.push_back(row); });
  std::string text;
  std::vector<size_t> ends;
  REQUIRE(make_csv_encoder(options, decoded.schema, with_op)->encode(batch, rows, text, ends));
  return text;
}

}  // namespace

TEST_CASE("csv: fields by place without a header", "[csv]") {
  CHECK(csv_rows("a INT, b STRING, c DOUBLE", {"1,x,2.5", "2,,", "3,\"\",1"}) ==
        R"({"a":1,"b":"x","c":2.5}{"a":2,"b":null,"c":null}{"a":3,"b":"","c":1.0})");
}

TEST_CASE("csv: fields by name with a header", "[csv]") {
  RecordSet records{"x,7,5", "y,8,6"};
  records.batch.header = std::make_shared<std::string>("\xef\xbb\xbfname,\"the \"\"n\"\"\",unused");
  auto columns = decode_columns("n INT, name STRING, gone INT");
  columns[0].path = {"the \"n\""};
  auto decoder = make_csv_decoder({}, columns);
  REQUIRE(decoder);
  DecodeResult result;
  REQUIRE((*decoder)->decode(records.batch, result));
  Batch batch;
  batch.rows = result.rows;
  batch.columns = result.columns;
  CHECK(Decoded::batch_as_json(batch, schema_of(columns)) ==
        R"({"n":7,"name":"x","gone":null}{"n":8,"name":"y","gone":null})");
}

TEST_CASE("csv: quotes of RFC 4180", "[csv]") {
  CHECK(csv_rows("a STRING, b STRING", {R"("a ""quoted"" text","line
break, comma")"}) == R"({"a":"a \"quoted\" text","b":"line\nbreak, comma"})");
  CHECK(csv_rows("a STRING, b INT", {"x;1"}, {.delimiter = ';'}) == R"({"a":"x","b":1})");
  for (const char* record : {"\"open", "\"a\"b,1", "a\"b,1"}) {
    CAPTURE(record);
    CHECK(csv_rows("a STRING, b INT", {record}) ==
          "bad: malformed CSV: a quote is not closed or stands inside a field");
  }
}

TEST_CASE("csv: values that do not fit are bad records", "[csv]") {
  CHECK(csv_rows("a INT NOT NULL", {""}) == "bad: column `a`: NULL, but the column is NOT NULL");
  CHECK(csv_rows("a INT", {"x"}) == "bad: column `a`: 'x' is not a INT");
  CHECK(csv_rows("a STRING", {"\xff"}) == "bad: invalid UTF-8");
  CHECK_FALSE(make_csv_decoder({}, decode_columns("a ARRAY<INT>")));
}

TEST_CASE("csv encoder: quotes only what needs it", "[csv]") {
  Decoded decoded(make_json_decoder, "s STRING, i INT, d DECIMAL(5,2), t DATE, b BOOLEAN",
                  {R"({"s":"a,b","i":1,"d":"1.5","t":"2020-01-02","b":true})", R"({"s":""})"});
  CHECK(csv_encode({}, decoded) == "\"a,b\",1,1.50,2020-01-02,true\"\",,,,");
  CHECK(csv_encode({}, decoded, true) == "+I,\"a,b\",1,1.50,2020-01-02,true+I,\"\",,,,");
  CHECK(csv_header(*decoded.schema, {}, true) == "op,s,i,d,t,b");
}

TEST_CASE("csv: what the encoder writes the decoder reads back, for random texts", "[csv]") {
  SeededRandom random(3);
  static const char* const kPieces[] = {"a", "\"", ",", "\n", "\r\n", " ", "\xc3\xa9", ";"};
  for (int round = 0; round < 300; ++round) {
    std::string record = "{\"n\":" + std::to_string(static_cast<int32_t>(random.next())) + ",\"s\":";
    std::string text;
    for (uint64_t i = random.below(12); i > 0; --i) text += kPieces[random.below(std::size(kPieces))];
    append_json_utf8(record, text);
    Decoded first(make_json_decoder, "s STRING, n INT", RecordSet({record + "}"}));
    Decoded second(csv_maker(), "s STRING, n INT", RecordSet({csv_encode({}, first)}));
    CHECK(second.rows_as_json() == first.rows_as_json());
  }
}

TEST_CASE("raw: the record is the column", "[raw]") {
  Registry registry;
  register_raw(registry);
  const auto make = [&](const std::vector<DecodeColumn>& columns) {
    return registry.factories.decoders["raw"](FormatConfig{}, columns);
  };
  RecordSet records{"any text", "\xff", ""};
  records.add_tombstone();
  Decoded decoded(make, "line STRING", records);
  CHECK(decoded.rows_as_json() == R"({"line":"any text"}{"line":""})");
  CHECK(decoded.result.skipped == 1);
  CHECK(decoded.result.bad.size() == 1);
  CHECK(Decoded(make, "line BYTES", {"\xff"}).rows_as_json() == R"({"line":"/w=="})");
  CHECK_FALSE(make(decode_columns("a INT")));
  CHECK_FALSE(make(decode_columns("a STRING, b STRING")));
}
