// `millrace explain CODE`: what a code of the error catalogue means; without a code all of them. Works offline.
#pragma once

#include <string>
#include <vector>

#include "runtime/spi/factories.h"

namespace millrace {

int command_explain(const std::vector<std::string>& args, const Registry& registry);

}  // namespace millrace
