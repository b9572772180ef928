// `millrace tap JOB STEP [--limit n]`: rows that leave a step of a running job, one JSON object a line.
#pragma once

#include <string>
#include <vector>

#include "runtime/spi/factories.h"

namespace millrace {

int command_tap(const std::vector<std::string>& args, const Registry& registry);

}  // namespace millrace
