#include <catch2/catch.hpp>

#include "tests/unit/functions/expression_kit.h"

namespace millrace {

namespace {

/// Value and type of a constant expression, or its error.
std::string answer_of(std::string_view text) {
  ExpressionRows rows;
  rows.add(7, {}, "Hello", true);
  auto typed = compile_expression(text, Scope::of(rows.schema), all_functions());
  if (!typed) return std::string(error_info(typed.error().code).code);
  std::string value = rows.show(text);
  if (!rows.errors.empty()) return "failed: " + rows.errors.rows()[0].second;
  return value + " " + (*typed)->type->to_string();
}

}  // namespace

TEST_CASE("integer overflow is an error of the row") {
  CHECK(answer_of("2147483647 + a") == "failed: INT overflow");
  CHECK(answer_of("CAST(9223372036854775807 AS BIGINT) * 2") == "failed: BIGINT overflow");
  CHECK(answer_of("-(-2147483647 - 1)") == "failed: INT overflow");
  CHECK(answer_of("(-2147483647 - 1) / -1") == "failed: INT overflow");
  CHECK(answer_of("(-2147483647 - 1) % -1") == "0 INT");
  CHECK(answer_of("CAST(100 AS TINYINT) + CAST(28 AS TINYINT)") == "failed: TINYINT overflow");
}

TEST_CASE("DECIMAL keeps its digits") {
  CHECK(answer_of("1.10 / 2.205") == "0.4988662 DECIMAL(11, 7)");
  CHECK(answer_of("a / 2.0") == "3.500000 DECIMAL(17, 6)");
  CHECK(answer_of("CAST(99999999999999999999999999999999999999 AS DECIMAL(38,0)) + a") ==
        "failed: DECIMAL(38, 0) overflow");
  CHECK(answer_of("ROUND(1234.567, -2)") == "1200 DECIMAL(5, 0)");
  CHECK(answer_of("1.50 = 1.5") == "TRUE BOOLEAN");
}

TEST_CASE("texts are counted in characters") {
  CHECK(answer_of("CHAR_LENGTH('a😀ä')") == "3 INT");
  CHECK(answer_of("SUBSTRING('日本語' FROM 2 FOR 1)") == "本 VARCHAR(3)");
  CHECK(answer_of("RIGHT('äöü', 2)") == "öü VARCHAR(3)");
  CHECK(answer_of("LPAD('é', 3, 'öx')") == "öxé STRING");
  CHECK(answer_of("UPPER('straße')") == "STRASSE CHAR(6)");
  CHECK(answer_of("POSITION('o' IN s)") == "5 INT");
}

TEST_CASE("results of absurd size are refused, not built") {
  CHECK(answer_of("REPEAT('', 9223372036854775807)") == " STRING");
  CHECK(answer_of("REPEAT('ab', 2147483647)") == "failed: the repeated text would be too long");
  CHECK(answer_of("LPAD('a', 2147483647, 'b')") == "failed: the padded text would be too long");
  CHECK(answer_of("CAST('a' AS CHAR(2147483647))").starts_with("failed"));
}

TEST_CASE("LIKE takes patterns in every place") {
  CHECK(answer_of("s LIKE '%l%l%'") == "TRUE BOOLEAN");
  CHECK(answer_of("s LIKE '%lll%'") == "FALSE BOOLEAN");
  CHECK(answer_of("s LIKE 'H_ll_'") == "TRUE BOOLEAN");
  CHECK(answer_of("s LIKE s || '%'") == "TRUE BOOLEAN");
  CHECK(answer_of("'a%' LIKE 'a!%' ESCAPE '!'") == "TRUE BOOLEAN");
  CHECK(answer_of("s NOT LIKE 'h%'") == "TRUE BOOLEAN");
}

TEST_CASE("regular expressions that would mean something else are refused") {
  CHECK(answer_of("REGEXP(s, '(?<=H)e')") == "E0207");
  CHECK(answer_of("REGEXP(s, '(.)\\1')") == "E0207");
  CHECK(answer_of("REGEXP(s, '[a-z&&[^l]]')") == "E0207");
  CHECK(answer_of("REGEXP(s, '[')") == "FALSE BOOLEAN");
  CHECK(answer_of("REGEXP_REPLACE(s, 'l+', '$0')") == "He$0o STRING");
  CHECK(answer_of("REGEXP_EXTRACT(s, '(?<first>[A-Z])(x)?', 2)") == "NULL STRING");
}

TEST_CASE("times before 1970 and leap days") {
  CHECK(answer_of("EXTRACT(HOUR FROM TIMESTAMP '1969-12-31 23:59:58.500')") == "23 BIGINT");
  CHECK(answer_of("FLOOR(TIMESTAMP '2020-03-05 12:00:00' TO WEEK)") == "2020-03-01 00:00:00 TIMESTAMP(0)");
  CHECK(answer_of("DATE '2020-02-29' - INTERVAL '1' YEAR") == "2019-02-28 DATE");
  CHECK(answer_of("TIMESTAMPDIFF(MONTH, TIMESTAMP '2020-03-15 12:00:00', TIMESTAMP '2020-01-15 12:00:01')") ==
        "-2 INT");
  CHECK(answer_of("TO_TIMESTAMP('29.02.2020 7:05', 'dd.MM.yyyy H:mm')") == "2020-02-29 07:05:00.000 TIMESTAMP(3)");
  CHECK(answer_of("TIMESTAMP '2020-01-01 00:00:00.123456'") == "E0207");
  CHECK(answer_of("DATE_FORMAT(TIMESTAMP '2020-01-01 00:00:00', 'VV')") == "E0207");
}

TEST_CASE("time zones come from the system's database") {
  CHECK(answer_of("CONVERT_TZ('2020-03-29 01:30:00', 'UTC', 'Europe/Berlin')") == "2020-03-29 03:30:00 STRING");
  CHECK(answer_of("CONVERT_TZ('2050-07-01 12:00:00', 'America/New_York', 'UTC')") == "2050-07-01 16:00:00 STRING");
  CHECK(answer_of("CONVERT_TZ('2020-07-01 12:00:00', 'UTC', 'GMT+05:30')") == "2020-07-01 17:30:00 STRING");
  CHECK(answer_of("CONVERT_TZ('2020-07-01 12:00:00', 'UTC', 'Mars/Base')") == "E0106");
}

TEST_CASE("arrays, maps and rows") {
  CHECK(answer_of("SPLIT(s, 'l')") == "[He, , o] ARRAY<STRING>");
  CHECK(answer_of("ARRAY[a, b][2] IS NULL") == "TRUE BOOLEAN");
  CHECK(answer_of("ARRAY[1, 2][0]") == "E0205");
  CHECK(answer_of("MAP['x', a]['x']") == "7 INT");
  CHECK(answer_of("MAP_FROM_ARRAYS(ARRAY['k', 'l'], ARRAY[1, 2])") == "{k=1, l=2} MAP<CHAR(1) NOT NULL, INT NOT NULL>");
  CHECK(answer_of("CAST(ROW(a, s) AS ROW<x BIGINT, y STRING>).x + 1") == "8 BIGINT");
  CHECK(answer_of("ARRAY_DISTINCT(ARRAY[3, 1, 3, NULL, NULL])") == "[3, 1, NULL] ARRAY<INT>");
}

TEST_CASE("JSON documents keep their numbers") {
  CHECK(answer_of("JSON_VALUE('{\"a\": [1.50, 1e5]}', '$.a[0]')") == "1.50 STRING");
  CHECK(answer_of("JSON_VALUE('{\"a\": [1.50, 1e5]}', 'lax $.a[-1]')") == "1E+5 STRING");
  CHECK(answer_of("JSON_VALUE('{', '$.a' DEFAULT 'x' ON ERROR)") == "x STRING");
  CHECK(answer_of("JSON_QUERY('{\"b\": 1, \"a\": {}}', '$')") == "{\"a\":{},\"b\":1} STRING");
  CHECK(answer_of("JSON_VALUE(s, '$..a')") == "E0207");
  CHECK(answer_of("JSON_ARRAY(CAST('1.50' AS DECIMAL(5,2)), CAST('20' AS DECIMAL(5,1)))") == "[1.50,20.0] STRING");
  CHECK(answer_of("JSON_OBJECT('x' VALUE a, 'b' VALUE JSON_ARRAY(s))") == "{\"b\":[\"Hello\"],\"x\":7} STRING");
}

TEST_CASE("casts say what they cannot read") {
  CHECK(answer_of("CAST(s AS INT)") == "failed: 'Hello' cannot be cast to INT");
  CHECK(answer_of("CAST(300 AS TINYINT)") == "failed: 300 is out of the range of TINYINT");
  CHECK(answer_of("TRY_CAST('2019-02-29' AS DATE)") == "NULL DATE");
  CHECK(answer_of("CAST('12.9' AS INT)") == "12 INT");
  CHECK(answer_of("CAST(s AS INTERVAL DAY TO SECOND)").starts_with("E02"));
  CHECK(answer_of("CAST(TRUE AS DATE)") == "E0205");
}

namespace {

/// The value of an expression in a job of that time zone.
std::string answer_in(const std::string& zone, std::string_view text) {
  Scope scope;
  scope.parameters.push_back({std::string(kTimeZoneParameter), make_string(false), Literal{zone}});
  auto typed = compile_expression(text, scope, all_functions());
  if (!typed) return "error: " + typed.error().message;
  auto evaluator = Evaluator::make({*typed});
  Batch batch;
  batch.rows = 1;
  std::vector<ColumnPtr> out;
  RowErrors errors;
  const auto arena = std::make_shared<Arena>();
  (*evaluator)->evaluate(batch, out, arena, errors, {.now_ms = 1'719'792'000'000});
  if (!errors.empty()) return "failed: " + errors.rows()[0].second;
  std::string shown;
  append_cast_text(shown, *(*typed)->type, *out[0], 0);
  return shown;
}

}  // namespace

TEST_CASE("a job's time zone stands between moments and local times") {
  const std::string ltz = "TO_TIMESTAMP_LTZ(1719792000000, 3)";  // 2024-07-01 00:00 UTC
  CHECK(answer_in("Europe/Berlin", "CAST(" + ltz + " AS STRING)") == "2024-07-01 02:00:00.000");
  CHECK(answer_in("Europe/Berlin", "DATE_FORMAT(" + ltz + ", 'yyyy-MM-dd HH:mm')") == "2024-07-01 02:00");
  CHECK(answer_in("America/New_York", "CAST(" + ltz + " AS DATE)") == "2024-06-30");
  CHECK(answer_in("America/New_York", "EXTRACT(HOUR FROM " + ltz + ")") == "20");
  CHECK(answer_in("America/New_York", "HOUR(" + ltz + ")") == "20");
  CHECK(answer_in("Asia/Kolkata", "CAST(FLOOR(" + ltz + " TO DAY) AS TIMESTAMP(3))") == "2024-07-01 00:00:00.000");
  CHECK(answer_in("Europe/Berlin", "CAST('2024-07-01 02:00:00' AS TIMESTAMP_LTZ(3)) = " + ltz) == "TRUE");
  CHECK(answer_in("Europe/Berlin", "TIMESTAMP '2024-07-01 02:00:00' = " + ltz) == "TRUE");
  CHECK(answer_in("Europe/Berlin", "CAST(LOCALTIMESTAMP AS STRING)") == "2024-07-01 02:00:00.000");
  CHECK(answer_in("America/New_York", "CURRENT_DATE") == "2024-06-30");
  CHECK(answer_in("Europe/Berlin", "CURRENT_TIMESTAMP = " + ltz) == "TRUE");
  CHECK(answer_in("Europe/Berlin", "FROM_UNIXTIME(0)") == "1970-01-01 01:00:00");
  CHECK(answer_in("Europe/Berlin", "FROM_UNIXTIME(0, 'HH')") == "01");
  CHECK(answer_in("Europe/Berlin", "UNIX_TIMESTAMP('1970-01-01 01:00:00')") == "0");
  CHECK(answer_in("Europe/Berlin", "TO_TIMESTAMP('2024-07-01 00:00:00')") == "2024-07-01 00:00:00.000");
}

TEST_CASE("months are added to a moment and seconds counted as Flink does, whatever the time zone") {
  // Flink's ADD_MONTHS knows no zone: the calendar is that of UTC. Its EXTRACT(EPOCH) is of the local time.
  const std::string ltz = "TO_TIMESTAMP_LTZ(1706745600000, 3)";  // 2024-02-01 00:00 UTC, January in New York
  CHECK(answer_in("America/New_York", "CAST(" + ltz + " AS STRING)") == "2024-01-31 19:00:00.000");
  CHECK(answer_in("America/New_York", "CAST(" + ltz + " + INTERVAL '1' MONTH AS STRING)") == "2024-02-29 19:00:00.000");
  CHECK(answer_in("Europe/Berlin", "CAST(" + ltz + " + INTERVAL '2' MONTH AS STRING)") == "2024-04-01 02:00:00.000");
  CHECK(answer_in("Europe/Berlin", "EXTRACT(EPOCH FROM " + ltz + ")") == "1706749200");
  CHECK(answer_in("America/New_York", "EXTRACT(EPOCH FROM " + ltz + ")") == "1706727600");
}

TEST_CASE("clocks that change: a time that does not occur moves on, one that occurs twice is the earlier") {
  CHECK(answer_in("Europe/Berlin", "CAST(CAST('2024-03-31 02:30:00' AS TIMESTAMP_LTZ(3)) AS STRING)") ==
        "2024-03-31 03:30:00.000");
  CHECK(answer_in("Europe/Berlin",
                  "CAST('2024-10-27 02:30:00' AS TIMESTAMP_LTZ(3)) = TO_TIMESTAMP_LTZ(1729989000000, "
                  "3)") == "TRUE");
}

}  // namespace millrace
