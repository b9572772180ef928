// Where this process finds S3, and with which keys: from the environment for every command, from the configuration too
// for the servers. Used by the main thread before anything runs.
#pragma once

#include <string>

#include "core/s3/settings.h"
#include "plan/secrets.h"

namespace millrace {

/// What the configuration says; empty fields: what the environment says, else the default.
struct S3Options {
  std::string endpoint;
  std::string region;
  std::string path_style;  // "true", "false", or empty: true where there is an endpoint
  std::string timeout;     // "30s": for one operation with all its repetitions
};

/// MILLRACE_S3_ENDPOINT, MILLRACE_S3_REGION (else AWS_REGION, AWS_DEFAULT_REGION), MILLRACE_S3_PATH_STYLE,
/// MILLRACE_S3_TIMEOUT, AWS_CA_BUNDLE; TMPDIR for what waits to be uploaded. kBadValue names the variable.
/// Keys: the secrets aws_access_key_id, aws_secret_access_key and aws_session_token, else the variables
/// AWS_ACCESS_KEY_ID, …; they are read when they are first needed, and again when they have expired.
Result<S3Settings> s3_settings(const S3Options& options, const EnvironmentLookup& environment);

}  // namespace millrace
