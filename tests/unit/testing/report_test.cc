#include "testing/report.h"

#include <catch2/catch.hpp>

using namespace millrace;

namespace {

/// One failed test whose `expect` names step `f`; `place` is where its value or key stands.
std::string updated(const std::string& yaml, Position value, Position key, std::vector<std::string> rows) {
  SpecTest test;
  test.name = "t";
  test.expect.kind = Located::Kind::kMap;
  test.expect.position = value;
  test.expect.entries.push_back({"f", key, {}});
  TestResult result;
  result.name = "t";
  result.rows = {{"f", std::move(rows)}};
  return update_expectations(yaml, {test}, {result});
}

}  // namespace

TEST_CASE("update: rows of a block are written as a block", "[testing]") {
  CHECK(updated("tests:\n  - name: t\n    expect:\n      f:\n        - {a: 1}\n        - {a: 2}\n    exact: true\n",
                {4, 7}, {4, 7}, {R"({"a":3})"}) ==
        "tests:\n  - name: t\n    expect:\n      f:\n        - {\"a\":3}\n    exact: true\n");
  CHECK(updated("    expect:\n      f: [\n        {a: 1}\n      ]\n    exact: true\n", {2, 7}, {2, 7}, {}) ==
        "    expect:\n      f: []\n    exact: true\n");
}

TEST_CASE("update: a flow mapping stays a flow mapping", "[testing]") {
  CHECK(updated("  - expect: {f: [{a: 'x}', b: \"\\\"]\"}]} # why\n    exact: true\n", {1, 13}, {1, 14},
                {R"({"a":3})", R"({"a":4})"}) == "  - expect: {f: [{\"a\":3}, {\"a\":4}]} # why\n    exact: true\n");
  CHECK(updated("    expect: {\n      f: [{a: 1}]\n    }\n    exact: true\n", {1, 13}, {2, 7}, {}) ==
        "    expect: {f: []}\n    exact: true\n");
}

TEST_CASE("junit: failures carry their text, escaped", "[testing]") {
  TestResult good;
  good.name = "a < b";
  good.passed = true;
  TestResult bad;
  bad.name = "b";
  bad.details = "\"x\" & y";
  const std::string xml = junit_report("job.yaml", {good, bad});
  CHECK(xml.find("tests=\"2\" failures=\"1\"") != std::string::npos);
  CHECK(xml.find("name=\"a &lt; b\"") != std::string::npos);
  CHECK(xml.find("<failure>&quot;x&quot; &amp; y</failure>") != std::string::npos);
}
