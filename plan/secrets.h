// Values that stay out of the job file: a file named like the secret in $MILLRACE_SECRETS_DIR (/run/secrets), else the
// variable MILLRACE_SECRET_<NAME>.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "plan/options.h"

namespace millrace {

using EnvironmentLookup = std::function<std::optional<std::string>(const std::string&)>;

/// `environment` may be empty: files of /run/secrets only. Nothing when the secret is not there or cannot be read.
std::optional<std::string> read_secret(const std::string& name, const EnvironmentLookup& environment);

/// What to do when there is none.
constexpr const char* kMissingSecretHelp =
    "put it as a file into $MILLRACE_SECRETS_DIR (/run/secrets), or set MILLRACE_SECRET_<NAME>";

/// The secret as a value of the job file, for the field that asked for it.
Located secret_value(std::string secret, Position position);

}  // namespace millrace
