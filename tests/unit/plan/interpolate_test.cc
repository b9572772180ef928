#include "plan/interpolate.h"

#include <catch2/catch.hpp>

namespace millrace {

namespace {

struct Interpolated {
  std::string text;
  std::string mistakes;
};

Interpolated interpolated(std::string text) {
  Located value;
  value.kind = Located::Kind::kScalar;
  value.text = std::move(text);
  value.position = value.content = {1, 1};
  value.mapping = Located::Mapping::kLine;
  Substitutions substitutions;
  substitutions.environment = [](const std::string& name) -> std::optional<std::string> {
    if (name == "HOST") return "kafka:9092";
    if (name == "EMPTY") return "";
    if (name == "PASSWORD") return "geheim";
    return std::nullopt;
  };
  substitutions.params = {{"topic", "events"}};
  Diagnostics diagnostics;
  interpolate(value, substitutions, diagnostics);
  Interpolated out{value.text, {}};
  for (const Diagnostic& d : diagnostics.all()) {
    out.mistakes += std::to_string(d.position.column) + " " + d.message + "; " + d.help + "\n";
  }
  return out;
}

}  // namespace

TEST_CASE("variables, defaults and parameters are replaced") {
  CHECK(interpolated("${HOST}").text == "kafka:9092");
  CHECK(interpolated("a-${HOST}-${params.topic}").text == "a-kafka:9092-events");
  CHECK(interpolated("${NONE:-x}").text == "x");
  CHECK(interpolated("${EMPTY:-x}").text == "x");
  CHECK(interpolated("[${EMPTY}]").text == "[]");
  CHECK(interpolated("${NONE:-${HOST}}").text == "kafka:9092");
}

TEST_CASE("a doubled dollar is a dollar, and a dollar before a name stays for the expression") {
  CHECK(interpolated("$${HOST}").text == "${HOST}");
  CHECK(interpolated("n >= $min_price").text == "n >= $min_price");
  CHECK(interpolated("a$").text == "a$");
  CHECK(interpolated(escape_dollars("a ${HOST} $$ $x")).text == "a ${HOST} $$ $x");
}

TEST_CASE("what is not set is reported with its place and never with values") {
  CHECK(interpolated("abc ${NONE}").mistakes == "5 the variable NONE is not set; set it, or write ${NONE:-default}\n");
  CHECK(interpolated("${EMPTY:?set it to the brokers}").mistakes ==
        "1 the variable EMPTY is not set: set it to the brokers; \n");
  CHECK(interpolated("${params.topik}").mistakes ==
        "1 there is no parameter `topik`; a parameter with a similar name exists: `topic`\n");
  CHECK(interpolated("${HOST").mistakes == "1 `${` is not closed by `}`; write `$$` for a dollar\n");
  CHECK(interpolated("${PASSWORD}${NONE}").mistakes.find("geheim") == std::string::npos);
  CHECK_FALSE(interpolated("${1}").mistakes.empty());
  CHECK_FALSE(interpolated("${HOST:x}").mistakes.empty());
}

}  // namespace millrace
