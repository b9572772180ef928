#include "plan/json_schema.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "plan/reference_page.h"
#include "tests/unit/plan/fake_registry.h"

namespace millrace {

TEST_CASE("the JSON Schema is made from the field registry") {
  const auto schema = nlohmann::json::parse(job_json_schema(fake_registry()));
  CHECK(schema["required"] == nlohmann::json({"version", "name", "sources", "sinks"}));
  CHECK(schema["properties"]["version"]["const"] == 1);
  const auto& checkpoint = schema["properties"]["settings"]["properties"]["checkpoint"];
  CHECK(checkpoint["additionalProperties"] == false);
  CHECK(checkpoint["properties"]["interval"]["default"] == "10s");
  const auto& sources = schema["properties"]["sources"]["additionalProperties"]["anyOf"];
  REQUIRE(sources.size() == 2);
  CHECK(sources[0]["title"] == "datagen");
  CHECK_FALSE(sources[0]["properties"].contains("format"));
  CHECK(sources[1]["required"] == nlohmann::json({"type", "brokers", "topics"}));
  const auto& steps = schema["properties"]["steps"]["items"]["anyOf"];
  CHECK(steps.size() == 4);
  CHECK(steps[1]["properties"].contains("key_by"));
}

TEST_CASE("the reference page has a table per part, connector and operator") {
  const std::string page = job_file_reference(fake_registry());
  CHECK(page.find("### Operator window") != std::string::npos);
  CHECK(page.find("| `interval` | duration | `10s` | Time between checkpoints. |") != std::string::npos);
  CHECK(page.find("It takes updates when it has a `key`.") != std::string::npos);
  CHECK(page.find("Metadata: `topic`, `partition`") != std::string::npos);
  CHECK(page.find("| `sasl_password` | text, secret |  |  |") != std::string::npos);
}

}  // namespace millrace
