// Aggregates through a window of one key: values, NULLs, types, exactness; then merge and save against update.
#include "functions/aggregates/value_set.h"
#include "tests/unit/operators/support.h"

namespace millrace {

namespace {

/// The result of one aggregate over the values of a column `x`, run in all modes of the operator kit and once more as
/// the sum of panes of sliding windows.
std::string aggregate_of(const std::string& call, const std::string& type, const std::vector<std::string>& values,
                         bool panes = true) {
  std::string text;
  for (const char* window : {"{type: tumbling, size: 1h}", "{type: cumulating, size: 12ms, step: 1ms}"}) {
    if ((!panes || values.size() > 100) && window[7] == 'c') continue;
    KitCase test;
    test.step = std::string("id: w\nwindow: ") + window + "\naggregate:\n  r: " + call;
    test.inputs = {"x " + type};
    int64_t time = 0;
    for (const std::string& value : values) test.events.push_back(kit_row("{\"x\":" + value + "}", time++));
    test.events.push_back(kit_end());
    std::map<std::string, std::vector<std::string>> rows;
    const auto failures = run_operator_case(operators_registry(), test, &rows,
                                            values.size() > 100 ? KitModes::kWithoutRestore : KitModes::kAll);
    if (!failures.empty()) return failures[0];
    if (rows[""].empty()) return "no row";
    const std::string line = rows[""].back();
    const std::string result = line.substr(line.find("\"r\":") + 4);
    if (!text.empty() && text != result) return "panes give " + result + ", one pane gives " + text;
    text = result;
  }
  return text.substr(0, text.size() - 1);
}

}  // namespace

TEST_CASE("COUNT counts rows, values or distinct values") {
  CHECK(aggregate_of("COUNT(*)", "INT", {"1", "null", "1"}) == "3");
  CHECK(aggregate_of("COUNT(x)", "INT", {"1", "null", "1"}) == "2");
  CHECK(aggregate_of("COUNT(DISTINCT x)", "STRING", {"\"a\"", "null", "\"b\"", "\"a\""}) == "2");
}

TEST_CASE("DISTINCT stays right over many values") {
  std::vector<std::string> values;
  for (int i = 0; i < 2000; ++i) values.push_back(std::to_string(i * 7 % 1000));
  CHECK(aggregate_of("COUNT(DISTINCT x)", "INT", values) == "1000");
  CHECK(aggregate_of("SUM(DISTINCT x)", "INT", values) == "499500");
}

TEST_CASE("SUM is exact and BIGINT for every integer type") {
  CHECK(aggregate_of("SUM(x)", "TINYINT", {"127", "127", "null"}) == "254");
  CHECK(aggregate_of("SUM(x)", "INT", {"2147483647", "1"}) == "2147483648");
  CHECK(aggregate_of("SUM(x)", "INT", {"null", "null"}) == "null");
  CHECK(aggregate_of("SUM(x)", "DOUBLE", {"0.5", "1.25"}) == "1.75");
  // The order of rows does not decide: what overflows on the way may come back.
  CHECK(aggregate_of("SUM(x)", "BIGINT", {"9223372036854775807", "1", "-2"}, false) == "9223372036854775806");
  CHECK(aggregate_of("SUM(x)", "BIGINT", {"9223372036854775807", "1"}).find("out of the range of BIGINT") !=
        std::string::npos);
}

TEST_CASE("SUM of DECIMAL keeps the scale and survives sums beyond 128 bits") {
  CHECK(aggregate_of("SUM(x)", "DECIMAL(10,2)", {"\"1.10\"", "\"2.25\"", "null"}) == "\"3.35\"");
  const std::string huge = "\"" + std::string(38, '9') + "\"";
  const std::string minus = "\"-" + std::string(38, '9') + "\"";
  CHECK(aggregate_of("SUM(x)", "DECIMAL(38,0)", {huge, huge, huge, minus, minus}, false) == huge);
  CHECK(aggregate_of("SUM(x)", "DECIMAL(38,0)", {huge, huge, huge, huge}).find("more than 38 digits") !=
        std::string::npos);
}

TEST_CASE("AVG truncates integers and rounds DECIMAL half up to at least six digits") {
  CHECK(aggregate_of("AVG(x)", "INT", {"1", "2", "2"}) == "1");
  CHECK(aggregate_of("AVG(x)", "INT", {"-1", "-2", "-2"}) == "-1");
  CHECK(aggregate_of("AVG(x)", "DECIMAL(10,2)", {"\"1.00\"", "\"1.00\"", "\"0.00\""}) == "\"0.666667\"");
  CHECK(aggregate_of("AVG(x)", "DOUBLE", {"1", "2"}) == "1.5");
  CHECK(aggregate_of("AVG(x)", "DOUBLE", {"null"}) == "null");
}

TEST_CASE("JSON_ARRAYAGG keeps the order of arrival and leaves NULLs out unless it is told otherwise") {
  CHECK(aggregate_of("JSON_ARRAYAGG(x)", "INT", {"2", "null", "1"}) == R"("[2,1]")");
  CHECK(aggregate_of("JSON_ARRAYAGG(x NULL ON NULL)", "INT", {"2", "null", "1"}) == R"("[2,null,1]")");
  CHECK(aggregate_of("JSON_ARRAYAGG(x ABSENT ON NULL) FILTER (WHERE x > 1)", "INT", {"2", "null", "1"}) == R"("[2]")");
  CHECK(aggregate_of("JSON_ARRAYAGG(x)", "STRING", {R"("a")", R"("q\"")"}) == R"("[\"a\",\"q\\\"\"]")");
  CHECK(aggregate_of("JSON_ARRAYAGG(x)", "INT", {"null"}) == R"("[]")");
}

TEST_CASE("JSON_OBJECTAGG sorts its keys, and refuses a key that is NULL or comes twice") {
  const std::vector<std::string> values = {R"("b")", "null", R"("a")"};
  CHECK(aggregate_of("JSON_OBJECTAGG(KEY COALESCE(x, 'n') VALUE x)", "STRING", values) ==
        R"("{\"a\":\"a\",\"b\":\"b\",\"n\":null}")");
  CHECK(aggregate_of("JSON_OBJECTAGG(COALESCE(x, 'n') VALUE x ABSENT ON NULL)", "STRING", values) ==
        R"("{\"a\":\"a\",\"b\":\"b\"}")");
  CHECK(aggregate_of("JSON_OBJECTAGG(x VALUE 1)", "STRING", values).find("is NULL") != std::string::npos);
  CHECK(aggregate_of("JSON_OBJECTAGG('k' VALUE x)", "STRING", values).find("comes twice") != std::string::npos);
}

TEST_CASE("MIN and MAX know numbers, texts, times and DECIMAL") {
  CHECK(aggregate_of("MIN(x)", "INT", {"3", "null", "-1"}) == "-1");
  CHECK(aggregate_of("MAX(x)", "STRING", {"\"a\"", "\"b\"", "\"B\""}) == "\"b\"");
  CHECK(aggregate_of("MIN(x)", "STRING", {"\"b\"", "\"\"", "null"}) == "\"\"");
  CHECK(aggregate_of("MAX(x)", "DECIMAL(5,1)", {"\"1.5\"", "\"-2.0\""}) == "\"1.5\"");
  CHECK(aggregate_of("MAX(x)", "DATE", {"\"2020-01-01\"", "\"2021-05-06\""}) == "\"2021-05-06\"");
  CHECK(aggregate_of("MAX(x)", "DOUBLE", {"null"}) == "null");
}

TEST_CASE("TOP_K gives the largest values, largest first") {
  CHECK(aggregate_of("TOP_K(x, 3)", "INT", {"3", "null", "-1", "9", "3", "5"}, false) == "[9,5,3]");
  CHECK(aggregate_of("TOP_K(x, 3)", "INT", {"5", "5", "1"}, false) == "[5,5,1]");
  CHECK(aggregate_of("TOP_K(DISTINCT x, 3)", "INT", {"5", "5", "1"}, false) == "[5,1]");
  CHECK(aggregate_of("TOP_K(x, 2)", "STRING", {"\"a\"", "\"\"", "\"b\"", "\"B\""}, false) == "[\"b\",\"a\"]");
  CHECK(aggregate_of("TOP_K(x, 2)", "DECIMAL(5,1)", {"\"1.5\"", "\"-2.0\"", "\"7\""}, false) == "[\"7.0\",\"1.5\"]");
  CHECK(aggregate_of("TOP_K(x, 2)", "DOUBLE", {"null"}, false) == "null");
}

TEST_CASE("FIRST_VALUE, LAST_VALUE, LISTAGG and ARRAY_AGG go by arrival") {
  CHECK(aggregate_of("FIRST_VALUE(x)", "INT", {"null", "7", "8"}) == "7");
  CHECK(aggregate_of("LAST_VALUE(x)", "STRING", {"\"a\"", "\"b\"", "null"}) == "\"b\"");
  CHECK(aggregate_of("LAST_VALUE(x)", "ROW<a INT, b STRING>", {"{\"a\":1,\"b\":\"x\"}", "{\"a\":2,\"b\":null}"}) ==
        R"({"a":2,"b":null})");
  CHECK(aggregate_of("LISTAGG(x)", "STRING", {"\"b\"", "null", "\"a\""}) == "\"b,a\"");
  CHECK(aggregate_of("LISTAGG(x, ' - ')", "STRING", {"\"b\"", "\"a\""}) == "\"b - a\"");
  CHECK(aggregate_of("ARRAY_AGG(x)", "INT", {"3", "null", "1"}) == "[3,null,1]");
  CHECK(aggregate_of("ARRAY_AGG(x)", "ARRAY<STRING>", {"[\"a\"]", "[]", "null"}) == "[[\"a\"],[],null]");
}

TEST_CASE("STDDEV and VAR take the argument's type; of one value the sample has none") {
  CHECK(aggregate_of("VAR_POP(x)", "DOUBLE", {"1", "2", "3", "4"}) == "1.25");
  CHECK(aggregate_of("VAR_SAMP(x)", "DOUBLE", {"5"}) == "null");
  CHECK(aggregate_of("STDDEV_POP(x)", "INT", {"1", "9"}) == "4");
  CHECK(aggregate_of("VAR_POP(x)", "DECIMAL(10,2)", {"\"1.00\"", "\"2.00\"", "\"4.00\""}) == "\"1.555556\"");
}

TEST_CASE("BOOL_AND and BOOL_OR skip NULLs") {
  CHECK(aggregate_of("BOOL_AND(x)", "BOOLEAN", {"true", "null"}) == "true");
  CHECK(aggregate_of("BOOL_AND(x)", "BOOLEAN", {"true", "false"}) == "false");
  CHECK(aggregate_of("BOOL_OR(x)", "BOOLEAN", {"false", "null"}) == "false");
  CHECK(aggregate_of("BOOL_OR(x)", "BOOLEAN", {"null"}) == "null");
}

TEST_CASE("a set inside a state row finds every value it was given") {
  BlobPool blobs;
  alignas(16) char bytes[sizeof(ValueSet)] = {};
  auto& set = *reinterpret_cast<ValueSet*>(bytes);
  for (uint64_t round = 0; round < 2; ++round) {
    for (uint64_t i = 0; i < 500; ++i) {
      // Only 50 hashes for 500 values: equal hashes must not hide values.
      CHECK(set.insert(i % 50, "value " + std::to_string(i), blobs) == (round == 0));
    }
  }
  CHECK(set.size() == 500);
  size_t visited = 0;
  set.visit([&visited](uint64_t /*hash*/, std::string_view /*bytes*/) { ++visited; });
  CHECK(visited == 500);
}

}  // namespace millrace
