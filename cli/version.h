// `millrace version`.
#pragma once

#include <string>
#include <vector>

#include "runtime/spi/factories.h"

namespace millrace {

int command_version(const std::vector<std::string>& args, const Registry& registry);

}  // namespace millrace
