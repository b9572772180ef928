// Variables of the process's environment. What plans a job takes the function as a parameter, so that tests have their
// own; the commands pass this one.
#pragma once

#include <optional>
#include <string>

namespace millrace {

/// Nothing when the variable is not set. Any thread, as long as nobody changes the environment.
std::optional<std::string> environment_variable(const std::string& name);

}  // namespace millrace
