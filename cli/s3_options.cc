#include "cli/s3_options.h"

#include <initializer_list>

#include "plan/option_text.h"

namespace millrace {

namespace {

std::string first_of(const EnvironmentLookup& environment, std::string given,
                     std::initializer_list<const char*> names) {
  for (const char* name : names) {
    if (!given.empty() || !environment) break;
    given = environment(name).value_or("");
  }
  return given;
}

std::string key_of(const EnvironmentLookup& environment, const char* secret, const char* variable) {
  if (auto found = read_secret(secret, environment)) return *found;
  return first_of(environment, "", {variable});
}

Result<S3Credentials> read_keys(const EnvironmentLookup& environment) {
  S3Credentials keys{key_of(environment, "aws_access_key_id", "AWS_ACCESS_KEY_ID"),
                     key_of(environment, "aws_secret_access_key", "AWS_SECRET_ACCESS_KEY"),
                     key_of(environment, "aws_session_token", "AWS_SESSION_TOKEN")};
  if (!keys.access_key_id.empty() && !keys.secret_access_key.empty()) return keys;
  return make_error(ErrorCode::kExternalRefused, "there are no keys for S3",
                    "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or put them as files aws_access_key_id and "
                    "aws_secret_access_key into $MILLRACE_SECRETS_DIR (/run/secrets)");
}

}  // namespace

Result<S3Settings> s3_settings(const S3Options& options, const EnvironmentLookup& environment) {
  S3Settings out;
  out.endpoint = first_of(environment, options.endpoint, {"MILLRACE_S3_ENDPOINT"});
  if (!out.endpoint.empty()) MR_TRY(check_s3_endpoint(out.endpoint));
  const std::string region =
      first_of(environment, options.region, {"MILLRACE_S3_REGION", "AWS_REGION", "AWS_DEFAULT_REGION"});
  if (!region.empty()) out.region = region;
  const std::string style = first_of(environment, options.path_style, {"MILLRACE_S3_PATH_STYLE"});
  if (!style.empty() && style != "true" && style != "false") {
    return make_error(ErrorCode::kBadValue, "MILLRACE_S3_PATH_STYLE is neither true nor false");
  }
  out.path_style = style.empty() ? !out.endpoint.empty() : style == "true";
  if (const std::string timeout = first_of(environment, options.timeout, {"MILLRACE_S3_TIMEOUT"}); !timeout.empty()) {
    const std::optional<int64_t> ms = parse_duration(timeout);
    if (!ms || *ms <= 0) return make_error(ErrorCode::kBadValue, "MILLRACE_S3_TIMEOUT is no time, such as 30s");
    out.timeout_ms = *ms;
  }
  out.ca_file = first_of(environment, "", {"AWS_CA_BUNDLE"});
  const std::string spool = first_of(environment, "", {"TMPDIR"});
  if (!spool.empty()) out.spool_dir = spool;
  out.credentials = [environment] { return read_keys(environment); };
  return out;
}

}  // namespace millrace
