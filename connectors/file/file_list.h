// Which files a path of the job file means: one file, a directory, or a pattern with * ? [..]. Hidden names and names
// that start with `_` (other programs' temporary and marker files) are left out.
#pragma once

#include <string>
#include <vector>

#include "core/status.h"

namespace millrace {

/// "file:///tmp/x" is "/tmp/x".
std::string plain_path(const std::string& path);
[[nodiscard]] bool has_wildcards(const std::string& path);
/// Sorted. Empty when a pattern matches nothing; kNotFound when a plain path does not exist.
Result<std::vector<std::string>> list_input_files(const std::string& path);

}  // namespace millrace
