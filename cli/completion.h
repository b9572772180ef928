// `millrace completion bash|zsh|fish`: a script for the shell, written from the table of commands and what their usage
// names as options.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "runtime/spi/factories.h"

namespace millrace {

int command_completion(const std::vector<std::string>& args, const Registry& registry);

/// The options that a usage text names, each once: "--wait", "--param".
std::vector<std::string> options_of_usage(std::string_view usage);
/// "" for an unknown shell.
std::string completion_script(std::string_view shell);

}  // namespace millrace
