// What the command line changes in a job file before it is read: `--set path=value` and `--sinks print`.
#pragma once

#include <string>

#include "plan/diagnostic.h"
#include "plan/options.h"

namespace millrace {

/// `path` is field names joined by dots; items of `steps` are named by their id: "steps.per_user.parallelism".
/// Mappings that do not exist are made; unknown fields are found later, when the file is read.
void set_path(Located& root, const std::string& path, const std::string& value, Diagnostics& diagnostics);

/// Every sink becomes a print sink of the same input. Sinks of refused rows go, because print refuses none.
void replace_sinks_by_print(Located& root);

/// The value of a field, to be changed; null when the mapping has none.
Located* find_mutable(Located& map, std::string_view key);

}  // namespace millrace
