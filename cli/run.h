// `millrace run job.yaml …`: a whole cluster in one process. stdout carries rows of print sinks and nothing else.
// `millrace demo`: the same with a built-in job and a temporary directory.
#pragma once

#include <string>
#include <vector>

#include "runtime/spi/factories.h"

namespace millrace {

int command_run(const std::vector<std::string>& args, const Registry& registry);
int command_demo(const std::vector<std::string>& args, const Registry& registry);

}  // namespace millrace
