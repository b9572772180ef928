// `millrace eval EXPR` and `millrace eval --json [--schema "a INT, …" --row JSON]`: expressions without a job.
#pragma once

#include <string>
#include <vector>

namespace millrace {

/// `args` are the words after `eval`. Returns the exit code: 0, 1 when the expression failed, 2 for wrong usage.
int command_eval(const std::vector<std::string>& args);

}  // namespace millrace
