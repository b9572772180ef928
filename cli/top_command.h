// `millrace top [JOB]`: the steps of running jobs, refreshed; once when the output is no terminal.
#pragma once

#include <string>
#include <vector>

#include "runtime/spi/factories.h"

namespace millrace {

int command_top(const std::vector<std::string>& args, const Registry& registry);

}  // namespace millrace
