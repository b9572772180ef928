#include "connectors/json/json_decoder.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "connectors/json/json_encoder.h"
#include "tests/unit/connectors/decode_support.h"

using namespace millrace;

namespace {

std::string json_row(std::string_view schema, std::string_view record) { return decode_to_json(schema, {record}); }

std::string json_failure(std::string_view schema, std::string_view record) {
  Decoded decoded(make_json_decoder, schema, {record});
  if (decoded.result.bad.size() != 1 || decoded.result.rows != 0) return "accepted: " + decoded.rows_as_json();
  return decoded.result.bad[0].message;
}

}  // namespace

TEST_CASE("json decoder: plain fields go to their columns, others are ignored", "[json]") {
  CHECK(json_row("a BIGINT, b STRING", R"({"x":1,"a":7,"y":{"a":9},"b":"hi","z":[1,{"b":2}]})") ==
        R"({"a":7,"b":"hi"})");
  CHECK(json_row("a BIGINT", " \n{ \"a\" : -12 , \"b\" : null }\t") == R"({"a":-12})");
  CHECK(json_row("a BIGINT", "{}") == R"({"a":null})");
  CHECK(json_row("a BIGINT, b STRING", R"({"a":null})") == R"({"a":null,"b":null})");
}

TEST_CASE("json decoder: a layout that changes from record to record is followed", "[json]") {
  CHECK(decode_to_json("a INT, b INT, c INT",
                       {R"({"a":1,"b":2,"c":3})", R"({"c":6,"a":4,"b":5})", R"({"a":7,"c":9})", R"({"b":8})",
                        R"({"a":1,"b":2,"c":3,"d":{"a":5}})", R"({"b":2,"d":0,"a":1,"c":3})"}) ==
        R"({"a":1,"b":2,"c":3}{"a":4,"b":5,"c":6}{"a":7,"b":null,"c":9}{"a":null,"b":8,"c":null})"
        R"({"a":1,"b":2,"c":3}{"a":1,"b":2,"c":3})");
}

TEST_CASE("json decoder: blanks may come and go from record to record", "[json]") {
  CHECK(decode_to_json("a INT, b INT", {R"({"a":1,"b":2})", R"({"a": 3, "b":	4})", R"({ "a" : 5,"b" :6 })",
                                        R"({"x":{},"b":  7})", R"({"x": {},"b":8})", R"({"a":9})", R"({"a": 10})"}) ==
        R"({"a":1,"b":2}{"a":3,"b":4}{"a":5,"b":6}{"a":null,"b":7}{"a":null,"b":8}{"a":9,"b":null}{"a":10,"b":null})");
}

TEST_CASE("json decoder: the last of duplicate keys wins", "[json]") {
  CHECK(json_row("a INT", R"({"a":1,"a":2})") == R"({"a":2})");
  CHECK(json_row("a INT", R"({"a":1,"a":null})") == R"({"a":null})");
  CHECK(json_row("a INT", R"({"a":"no number","a":3})") == R"({"a":3})");
  CHECK(json_row("a INT", R"({"\u0061":4})") == R"({"a":4})");
  CHECK(json_row("m MAP<STRING, INT>", R"({"m":{"x":1,"y":2,"x":3}})") == R"({"m":{"x":3,"y":2}})");
  CHECK(json_failure("a INT", R"({"a":1,"a":"x"})") == "column `a`: 'x' is not a INT");
}

TEST_CASE("json decoder: numbers, texts and booleans convert as declared", "[json]") {
  CHECK(json_row("a INT, b BIGINT, c DOUBLE, d DECIMAL(10,2), e BOOLEAN",
                 R"({"a":"12","b":" -3 ","c":"1.5","d":"2.345","e":"TRUE"})") ==
        R"({"a":12,"b":-3,"c":1.5,"d":"2.35","e":true})");
  CHECK(json_row("s STRING, t STRING, u STRING, v STRING, w STRING",
                 R"({"s":1.50,"t":true,"u":{"x": [1]},"v":[1, 2],"w":"q"})") ==
        R"({"s":"1.50","t":"true","u":"{\"x\": [1]}","v":"[1, 2]","w":"q"})");
  CHECK(json_row("a BIGINT, b BIGINT, c INT", R"({"a":9223372036854775807,"b":-9223372036854775808,"c":2.0})") ==
        R"({"a":9223372036854775807,"b":-9223372036854775808,"c":2})");
  CHECK(json_row("d DECIMAL(38,0)", R"({"d":99999999999999999999999999999999999999})") ==
        R"({"d":"99999999999999999999999999999999999999"})");
  CHECK(json_row("d DECIMAL(10,2), e DECIMAL(10,2), f DECIMAL(3,1)", R"({"d":0.005,"e":1e3,"f":-0.05})") ==
        R"({"d":"0.01","e":"1000.00","f":"-0.1"})");
  CHECK(json_row("b BYTES", R"({"b":"aGk="})") == R"({"b":"aGk="})");
  CHECK(json_row("x DOUBLE, y FLOAT", R"({"x":"NaN","y":0.1})") == R"({"x":"NaN","y":0.1})");
}

TEST_CASE("json decoder: values that do not fit are bad records", "[json]") {
  CHECK(json_failure("a INT", R"({"a":2147483648})") == "column `a`: 2147483648 is out of range for INT");
  CHECK(json_failure("a TINYINT", R"({"a":-129})") == "column `a`: -129 is out of range for TINYINT");
  CHECK(json_failure("a BIGINT", R"({"a":9223372036854775808})") ==
        "column `a`: 9223372036854775808 is out of range for BIGINT");
  CHECK(json_failure("a INT", R"({"a":1.5})") == "column `a`: 1.5 has a fraction, but the type is INT");
  CHECK(json_failure("a INT", R"({"a":1e-30})") == "column `a`: 1e-30 has a fraction, but the type is INT");
  CHECK(json_failure("a INT", R"({"a":true})") == "column `a`: 'true' is not a INT");
  CHECK(json_failure("a INT", R"({"a":[1]})") == "column `a`: '[1]' is not a INT");
  CHECK(json_failure("a INT NOT NULL", R"({"b":1})") == "column `a`: missing, but the column is NOT NULL");
  CHECK(json_failure("a INT NOT NULL", R"({"a":null})") == "column `a`: NULL, but the column is NOT NULL");
  CHECK(json_failure("d DECIMAL(4,2)", R"({"d":100})") == "column `d`: 100 is out of range for DECIMAL(4, 2)");
  CHECK(json_failure("x DOUBLE", R"({"x":1e400})") == "column `x`: 1e400 is out of range for DOUBLE");
  CHECK(json_failure("b BYTES", R"({"b":"a"})") == "column `b`: 'a' is not a BYTES");
  CHECK(json_failure("b BOOLEAN", R"({"b":1})") == "column `b`: '1' is not a BOOLEAN");
}

TEST_CASE("json decoder: malformed text is bad wherever it stands", "[json]") {
  for (const char* record : {"{",
                             "{\"a\":1",
                             "{\"a\":1,}",
                             "{\"a\":1}x",
                             "{\"a\":1}{}",
                             "[1]",
                             "1",
                             "\"a\"",
                             "{a:1}",
                             "{\"a\" 1}",
                             "{\"a\":01}",
                             "{\"a\":1.}",
                             "{\"a\":.5}",
                             "{\"a\":+1}",
                             "{\"a\":1e}",
                             "{\"a\":-}",
                             "{\"a\":tru}",
                             "{\"a\":nul",
                             "{\"b\":xyz,\"a\":1}",
                             "{\"b\":01,\"a\":1}",
                             "{\"b\":[1,],\"a\":1}",
                             "{\"b\":{\"c\"},\"a\":1}",
                             "{\"b\":\"\\x\",\"a\":1}",
                             "{\"b\":\"\\u12g4\",\"a\":1}",
                             "{\"b\":\"tab\there\",\"a\":1}",
                             "{\"b\":\"open,\"a\":1}",
                             "{\"a\":1 \"b\":2}",
                             "{\"a\":1,,\"b\":2}",
                             "{'a':1}",
                             "   ",
                             "{\"a\":1}\x01",
                             "{\"a\":NaN}",
                             "{\"a\":1 2}"}) {
    CAPTURE(record);
    CHECK(json_failure("a INT", record).starts_with("malformed JSON at byte "));
    CHECK(json_failure("q INT", record).starts_with("malformed JSON at byte "));
  }
  CHECK(json_failure("a INT", "") == "the value is empty");
  CHECK(json_failure("a INT", std::string("{\"a\":1}\0", 8)).starts_with("malformed JSON"));
}

TEST_CASE("json decoder: invalid UTF-8 is bad in values, keys and unwanted fields", "[json]") {
  CHECK(json_failure("a STRING", "{\"a\":\"\xff\"}") == "malformed JSON at byte 6: invalid UTF-8 in a string");
  CHECK(json_failure("a STRING", "{\"b\":\"\xc3\",\"a\":\"x\"}").find("UTF-8") != std::string::npos);
  CHECK(json_failure("a STRING", "{\"\xed\xa0\x80\":1,\"a\":\"x\"}").find("UTF-8") != std::string::npos);
  CHECK(json_failure("a STRING", R"({"a":"\ud800"})").find("surrogate") != std::string::npos);
  CHECK(json_row("a STRING", "{\"a\":\"\xc3\x9cnder \xf0\x9f\x98\x80, more than sixteen bytes\"}") ==
        "{\"a\":\"\xc3\x9cnder \xf0\x9f\x98\x80, more than sixteen bytes\"}");
}

TEST_CASE("json decoder: escapes are undone", "[json]") {
  CHECK(json_row("a STRING", R"({"a":"q\" b\\ s\/ \b\f\n\r\t \u00e9 \ud83d\ude00 end"})") ==
        "{\"a\":\"q\\\" b\\\\ s/ \\b\\f\\n\\r\\t \xc3\xa9 \xf0\x9f\x98\x80 end\"}");
  CHECK(json_row("a STRING", R"({"a":"\u0000x"})") == R"({"a":"\u0000x"})");
  CHECK(json_row("a STRING", R"({"a":""})") == R"({"a":""})");
  CHECK(json_row("i INT", R"({"i":"\u0031\u0032"})") == R"({"i":12})");
}

TEST_CASE("json decoder: timestamps in every form", "[json]") {
  CHECK(json_row("a TIMESTAMP(3), b TIMESTAMP(3), c TIMESTAMP(3)",
                 R"({"a":-1500,"b":"2026-01-01T00:00:01.514Z","c":"2026-01-01 00:00:02"})") ==
        R"({"a":-1500,"b":1767225601514,"c":1767225602000})");
  CHECK(json_row("a TIMESTAMP(3) FROM epoch_seconds, b TIMESTAMP(3) FROM epoch_millis",
                 R"({"a":1.5,"b":"1767225601514"})") == R"({"a":1500,"b":1767225601514})");
  CHECK(json_row("a TIMESTAMP(3) FROM iso8601, b TIMESTAMP(3) FROM 'dd.MM.yyyy HH:mm'",
                 R"({"a":"2026-01-01T02:00:00+02:00","b":"01.01.2026 00:01"})") ==
        R"({"a":1767225600000,"b":1767225660000})");
  CHECK(json_row("d DATE, t TIME, u TIME(3)", R"({"d":"2020-02-29","t":"12:34:56","u":"12:34:56.789"})") ==
        R"({"d":"2020-02-29","t":"12:34:56","u":"12:34:56.789"})");
  CHECK(json_failure("a TIMESTAMP(3)", R"({"a":"2026-02-30 00:00:00"})").find("is not a TIMESTAMP(3)") !=
        std::string::npos);
  CHECK(json_failure("a TIMESTAMP(3)", R"({"a":"yesterday"})").find("is not a TIMESTAMP(3)") != std::string::npos);
  CHECK(json_failure("a TIMESTAMP(3) FROM iso8601", R"({"a":5})").find("is not a TIMESTAMP(3)") != std::string::npos);
}

TEST_CASE("json decoder: paths reach into nested objects", "[json]") {
  const char* schema = "user STRING, id STRING FROM path user.id, city STRING FROM path user.home.city";
  CHECK(json_row(schema, R"({"user":{"id":7,"home":{"city":"Bonn","x":1}}})") ==
        R"({"user":"{\"id\":7,\"home\":{\"city\":\"Bonn\",\"x\":1}}","id":"7","city":"Bonn"})");
  CHECK(json_row(schema, R"({"user":null})") == R"({"user":null,"id":null,"city":null})");
  CHECK(json_row(schema, R"({"user":"plain"})") == R"({"user":"plain","id":null,"city":null})");
  CHECK(json_row("id INT FROM path u.id", R"({"u":{"id":1},"u":{"x":2}})") == R"({"id":null})");
  CHECK(json_failure("id INT NOT NULL FROM path u.id", R"({"u":3})") ==
        "column `id`: missing, but the column is NOT NULL");
}

TEST_CASE("json decoder: rows, arrays and maps", "[json]") {
  CHECK(
      json_row("b ROW<auction BIGINT, t TIMESTAMP(3)>", R"({"b":{"x":0,"t":"2026-01-01 00:00:01.514","auction":5}})") ==
      R"({"b":{"auction":5,"t":1767225601514}})");
  CHECK(decode_to_json("a ARRAY<INT>, b INT", {R"({"a":[1,2,null]})", R"({"b":1})", R"({"a":[]})", R"({"a":[3]})"}) ==
        R"({"a":[1,2,null],"b":null}{"a":null,"b":1}{"a":[],"b":null}{"a":[3],"b":null})");
  CHECK(decode_to_json("a ARRAY<ARRAY<INT>>", {R"({"a":[[1],[],[2,3]]})", R"({"a":[[1],5,[2]]})", R"({"a":[[9]]})"}) ==
        R"({"a":[[1],[],[2,3]]}{"a":[[9]]})");
  CHECK(decode_to_json("a ARRAY<ROW<x INT, y STRING>>",
                       {R"({"a":[{"x":1,"y":"p"},{"y":"q"},null]})", R"({"a":[{"x":2}]})"}) ==
        R"({"a":[{"x":1,"y":"p"},{"x":null,"y":"q"},null]}{"a":[{"x":2,"y":null}]})");
  CHECK(decode_to_json("m MAP<STRING, ARRAY<INT>>", {R"({"m":{"b":[1],"a":null,"b":[2,3]}})", R"({"m":{}})"}) ==
        R"({"m":{"a":null,"b":[2,3]}}{"m":{}})");
  CHECK(json_failure("a ARRAY<INT NOT NULL>", R"({"a":[1,null]})") == "column `a`: NULL, but the column is NOT NULL");
  CHECK(json_failure("b ROW<c INT NOT NULL>", R"({"b":{}})") == "column `b.c`: missing, but the column is NOT NULL");
}

TEST_CASE("json decoder: long arrays grow", "[json]") {
  std::string record = "{\"a\":[";
  std::string rows;
  for (int i = 0; i < 5000; ++i) {
    if (i > 0) record += ",", rows += ",";
    record += "{\"x\":" + std::to_string(i) + ",\"l\":[" + std::to_string(i) + "]}";
    rows += "{\"x\":" + std::to_string(i) + ",\"l\":[" + std::to_string(i) + "]}";
  }
  CHECK(json_row("a ARRAY<ROW<x INT, l ARRAY<INT>>>", record + "]}") == "{\"a\":[" + rows + "]}");
}

TEST_CASE("json decoder: tombstones are skipped, bad records do not disturb their neighbours", "[json]") {
  RecordSet set;
  set.add(R"({"a":1})");
  set.add_tombstone();
  set.add(R"({"a":"x"})");
  set.add(R"({"a":4})");
  Decoded decoded(make_json_decoder, "a INT", set);
  CHECK(decoded.rows_as_json() == R"({"a":1}{"a":4})");
  CHECK(decoded.result.skipped == 1);
  REQUIRE(decoded.result.bad.size() == 1);
  CHECK(decoded.result.bad[0].record == 2);
  CHECK(decoded.result.record_of_row == std::vector<uint32_t>{0, 3});
}

TEST_CASE("json decoder: records of ten megabytes and deep nesting", "[json]") {
  const std::string big(10 * 1024 * 1024, 'x');
  Decoded decoded(make_json_decoder, "a STRING, n INT", RecordSet({"{\"a\":\"" + big + "\",\"n\":1}"}));
  REQUIRE(decoded.result.rows == 1);
  CHECK(decoded.result.columns[0]->values<StringRef>()[0].size == big.size());
  CHECK(json_failure("n INT", "{\"a\":" + std::string(100000, '[')).find("nested too deeply") != std::string::npos);
  CHECK(json_row("n INT", "{\"a\":" + std::string(400, '[') + std::string(400, ']') + ",\"n\":1}") == R"({"n":1})");
}

TEST_CASE("json decoder: every prefix of a record is malformed, whatever stands behind it", "[json]") {
  const std::string record = R"({"a":12,"s":"t\u00e9xt","b":{"c":[true,null,1.5e3]},"d":-7})";
  for (size_t cut = 1; cut < record.size(); ++cut) {
    CAPTURE(cut);
    // The bytes behind the cut continue the record: a reader that runs past the end would accept it.
    auto arena = std::make_shared<Arena>();
    const StringRef all = arena->copy(record + std::string(64, ' '));
    RecordBatch batch;
    batch.arena = arena;
    Record one;
    one.value = StringRef(all.view().substr(0, cut));
    batch.records.push_back(one);
    auto decoder = make_json_decoder(decode_columns("a INT, s STRING, d INT"));
    REQUIRE(decoder);
    DecodeResult result;
    REQUIRE((*decoder)->decode(batch, result));  // learns nothing: first record
    CHECK(result.bad.size() == 1);
    batch.records[0].value = StringRef(all.view().substr(0, record.size()));
    REQUIRE((*decoder)->decode(batch, result));
    CHECK(result.rows == 1);
    batch.records[0].value = StringRef(all.view().substr(0, cut));  // now with a learned layout
    REQUIRE((*decoder)->decode(batch, result));
    CHECK(result.bad.size() == 1);
  }
}
