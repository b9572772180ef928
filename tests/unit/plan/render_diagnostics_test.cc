#include "plan/render_diagnostics.h"

#include <catch2/catch.hpp>

#include "plan/yaml_reader.h"

namespace millrace {

namespace {

/// The example of the handbook: line 52 of a job file.
struct RenderSample {
  std::string text = std::string(51, '\n') + "    filter: pirce >= $min_price\n";
  DiagnosticSource source{"job.yaml", text};
  Diagnostics diagnostics;

  RenderSample() {
    diagnostics.add({Severity::kError,
                     ErrorCode::kUnknownColumn,
                     "unknown column `pirce`",
                     "a column with a similar name exists: `price`",
                     {52, 13},
                     5,
                     "no such column in the output of `bids`"});
  }
};

}  // namespace

TEST_CASE("a mistake is shown as text with a caret") {
  RenderSample sample;
  CHECK(render_text(sample.diagnostics, sample.source) ==
        "error[E0203]: unknown column `pirce`\n"
        "  --> job.yaml:52:13\n"
        "   |\n"
        "52 |     filter: pirce >= $min_price\n"
        "   |             ^^^^^ no such column in the output of `bids`\n"
        "   = help: a column with a similar name exists: `price`\n");
}

TEST_CASE("a mistake without a place is shown without a caret") {
  Diagnostics diagnostics;
  diagnostics.error(ErrorCode::kMissingField, {}, "no sinks", "add one");
  CHECK(render_text(diagnostics, {"job.yaml", ""}) == "error[E0104]: no sinks\n  --> job.yaml\n   = help: add one\n");
}

TEST_CASE("tabs before the caret stay tabs") {
  Diagnostics diagnostics;
  diagnostics.error(ErrorCode::kYamlSyntax, {1, 3}, "m");
  CHECK(render_text(diagnostics, {"f", "\t\tx"}).find("  | \t\t^") != std::string::npos);
}

TEST_CASE("tools get json, sarif and GitHub's commands") {
  RenderSample sample;
  const std::string json = render_json(sample.diagnostics, sample.source);
  CHECK(json.find("\"code\": \"E0203\"") != std::string::npos);
  CHECK(json.find("\"line\": 52") != std::string::npos);
  CHECK(json.find("\"errors\": 1") != std::string::npos);
  const std::string sarif = render_sarif(sample.diagnostics, sample.source);
  CHECK(sarif.find("\"ruleId\": \"E0203\"") != std::string::npos);
  CHECK(sarif.find("\"endColumn\": 18") != std::string::npos);
  CHECK(sarif.find("\"version\": \"2.1.0\"") != std::string::npos);
  CHECK(render_github(sample.diagnostics, sample.source) ==
        "::error file=job.yaml,line=52,col=13,endColumn=18,title=E0203::unknown column `pirce`%0Aa column with a "
        "similar name exists: `price`\n");
}

TEST_CASE("a mistake inside an expression is underlined where it stands") {
  Diagnostics diagnostics;
  const auto tree = read_yaml("filter: 'a = ''x'' AND pirce > 1'\n", diagnostics);
  REQUIRE(tree);
  const Located& filter = *tree->find("filter");
  const auto begin = static_cast<uint32_t>(filter.text.find("pirce"));
  diagnostics.expression(filter, {ErrorCode::kUnknownColumn, "unknown column", "", begin, begin + 5});
  CHECK(diagnostics.all().at(0).position.column == 24);
  CHECK(diagnostics.all().at(0).length == 5);
}

}  // namespace millrace
