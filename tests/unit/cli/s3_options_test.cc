#include "cli/s3_options.h"

#include <catch2/catch.hpp>

#include <map>

namespace millrace {
namespace {

EnvironmentLookup variables(std::map<std::string, std::string> of) {
  of.emplace("MILLRACE_SECRETS_DIR", "/nonexistent");
  return [of](const std::string& name) -> std::optional<std::string> {
    const auto found = of.find(name);
    return found == of.end() ? std::nullopt : std::optional(found->second);
  };
}

}  // namespace

TEST_CASE("S3 is AWS unless an endpoint is given, and then buckets stand in the path") {
  const S3Settings aws = *s3_settings({}, variables({{"AWS_REGION", "eu-west-1"}, {"TMPDIR", "/var/tmp"}}));
  CHECK(aws.endpoint.empty());
  CHECK(aws.region == "eu-west-1");
  CHECK_FALSE(aws.path_style);
  CHECK(aws.spool_dir == "/var/tmp");
  const S3Settings own = *s3_settings({}, variables({{"MILLRACE_S3_ENDPOINT", "http://h:1"}}));
  CHECK(own.region == "us-east-1");
  CHECK(own.path_style);
  S3Options given;
  given.endpoint = "http://other:2";
  given.path_style = "false";
  const S3Settings both = *s3_settings(given, variables({{"MILLRACE_S3_ENDPOINT", "http://h:1"}}));
  CHECK(both.endpoint == "http://other:2");
  CHECK_FALSE(both.path_style);
  CHECK(s3_settings({}, variables({{"MILLRACE_S3_TIMEOUT", "2m"}}))->timeout_ms == 120'000);
  for (const char* wrong : {"MILLRACE_S3_TIMEOUT", "MILLRACE_S3_PATH_STYLE", "MILLRACE_S3_ENDPOINT"}) {
    const auto refused = s3_settings({}, variables({{wrong, "often"}}));
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::kBadValue);
  }
}

TEST_CASE("keys come from secrets, else from AWS's variables, and both halves are needed") {
  const S3Settings none = *s3_settings({}, variables({{"AWS_ACCESS_KEY_ID", "A"}}));
  CHECK(none.credentials().error().code == ErrorCode::kExternalRefused);
  const S3Settings aws = *s3_settings({}, variables({{"AWS_ACCESS_KEY_ID", "A"},
                                                     {"AWS_SECRET_ACCESS_KEY", "s"},
                                                     {"MILLRACE_SECRET_AWS_ACCESS_KEY_ID", "B"},
                                                     {"AWS_SESSION_TOKEN", "t"}}));
  CHECK(aws.credentials()->access_key_id == "B");
  CHECK(aws.credentials()->secret_access_key == "s");
  CHECK(aws.credentials()->session_token == "t");
}

}  // namespace millrace
