#include "connectors/json/json_encoder.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "connectors/json/json_decoder.h"
#include "core/random.h"
#include "tests/unit/connectors/decode_support.h"

using namespace millrace;

namespace {

std::string encode_json(std::string_view schema, std::string_view record, const JsonOutOptions& options,
                        bool with_op = false, RowKind kind = RowKind::kInsert) {
  Decoded decoded(make_json_decoder, schema, RecordSet({record}));
  Batch batch = decoded.as_batch();
  batch.kinds = std::make_shared<std::vector<uint8_t>>(batch.rows, static_cast<uint8_t>(kind));
  std::string text;
  std::vector<size_t> ends;
  const uint32_t row = 0;
  REQUIRE(make_json_encoder(decoded.schema, options, with_op)->encode(batch, {&row, 1}, text, ends));
  return text;
}

std::string random_text(Random& random) {
  static const char* const kPieces[] = {"a", "Z", "\"", "\\", "\n", "\x01", "/", "\xc3\xa9", "\xf0\x9f\x98\x80",
                                        "'", "{", ":"};
  std::string text;
  for (uint64_t i = random.below(40); i > 0; --i) text += kPieces[random.below(std::size(kPieces))];
  return text;
}

}  // namespace

TEST_CASE("json encoder: options choose the form of timestamps and decimals", "[json]") {
  const char* schema = "t TIMESTAMP(3), z TIMESTAMP_LTZ(3), s TIMESTAMP(0), d DECIMAL(10,2)";
  const char* record = R"({"t":1767225601514,"z":0,"s":1000,"d":"1.5"})";
  CHECK(encode_json(schema, record, {}) == R"({"t":1767225601514,"z":0,"s":1000,"d":"1.50"})");
  CHECK(encode_json(schema, record, {.iso_timestamps = true, .decimal_numbers = true}) ==
        R"({"t":"2026-01-01T00:00:01.514","z":"1970-01-01T00:00:00.000Z","s":"1970-01-01T00:00:01","d":1.50})");
}

TEST_CASE("json encoder: updating streams have op as their first field", "[json]") {
  CHECK(encode_json("a INT", R"({"a":1})", {}, true, RowKind::kInsert) == R"({"op":"+I","a":1})");
  CHECK(encode_json("a INT", R"({"a":1})", {}, true, RowKind::kUpdateBefore) == R"({"op":"-U","a":1})");
  CHECK(encode_json("a INT", R"({"a":1})", {}, true, RowKind::kUpdateAfter) == R"({"op":"+U","a":1})");
  CHECK(encode_json("a INT", R"({"a":1})", {}, true, RowKind::kDelete) == R"({"op":"-D","a":1})");
}

TEST_CASE("json encoder: doubles keep a point or an exponent", "[json]") {
  CHECK(encode_json("a DOUBLE, b DOUBLE, c DOUBLE, d DOUBLE", R"({"a":1,"b":-0.0,"c":1e22,"d":1e-7})", {}) ==
        R"({"a":1.0,"b":-0.0,"c":1e+22,"d":1e-07})");
  CHECK(encode_json("a DOUBLE, b DOUBLE", R"({"a":"Infinity","b":"-Infinity"})", {}) ==
        R"({"a":"Infinity","b":"-Infinity"})");
}

TEST_CASE("json encoder: only what must be escaped is escaped", "[json]") {
  std::string out;
  append_json_utf8(out, "a/b\x7f\xc3\xa9 \"\\\b\f\n\r\t\x1f sixteen bytes and more\n");
  CHECK(out == "\"a/b\x7f\xc3\xa9 \\\"\\\\\\b\\f\\n\\r\\t\\u001f sixteen bytes and more\\n\"");
}

TEST_CASE("json: what the encoder writes the decoder reads back, for random rows", "[json]") {
  SeededRandom random(7);
  const char* schema =
      "s STRING, i BIGINT, n INT, x DOUBLE, d DECIMAL(20,4), b BYTES, t TIMESTAMP(3), o BOOLEAN, a ARRAY<STRING>, "
      "m MAP<STRING, BIGINT>, r ROW<p STRING, q DOUBLE>";
  for (int round = 0; round < 300; ++round) {
    std::string record = "{\"s\":";
    append_json_utf8(record, random_text(random));
    record += ",\"i\":" + std::to_string(static_cast<int64_t>(random.next()));
    record += ",\"n\":" + (random.below(3) == 0 ? "null" : std::to_string(static_cast<int32_t>(random.next())));
    uint64_t bits = random.next();
    double number = 0;
    std::memcpy(&number, &bits, sizeof number);
    char digits[40];
    std::snprintf(digits, sizeof digits, "%.17g", std::isfinite(number) ? number : 0.5);
    record += ",\"x\":" + std::string(digits);
    record += ",\"d\":\"" + std::to_string(static_cast<int32_t>(random.next())) + "." +
              std::to_string(random.below(9999)) + "\"";
    record += ",\"b\":\"aGVsbG8=\",\"t\":" + std::to_string(static_cast<int32_t>(random.next()));
    record += ",\"o\":" + std::string(random.below(2) == 0 ? "true" : "false") + ",\"a\":[";
    append_json_utf8(record, random_text(random));
    record += ",null],\"m\":{";
    append_json_utf8(record, "k" + random_text(random));
    record += ":1,\"\":2},\"r\":{\"p\":";
    append_json_utf8(record, random_text(random));
    record += ",\"q\":" + std::string(digits) + "}}";
    CAPTURE(record);
    Decoded first(make_json_decoder, schema, RecordSet({record}));
    REQUIRE(first.result.rows == 1);
    const std::string text = first.rows_as_json();
    Decoded second(make_json_decoder, schema, RecordSet({text}));
    CHECK(second.rows_as_json() == text);
    CHECK(first.result.columns[3]->values<double>()[0] == second.result.columns[3]->values<double>()[0]);
  }
}
