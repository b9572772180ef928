// All commands of the program: what runs them, what they are for and what they take. main() dispatches over it, and the
// completion of shells is written from it.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/spi/factories.h"

namespace millrace {

struct Command {
  std::string_view name;
  int (*run)(const std::vector<std::string>& args, const Registry& registry);
  std::string_view help;
  std::string_view usage;
};

std::span<const Command> command_table();

}  // namespace millrace
