// `millrace jobmanager`, `millrace taskmanager` and `millrace cluster` (both in one process): the servers.
#pragma once

#include <string>
#include <vector>

#include "runtime/spi/factories.h"

namespace millrace {

int command_jobmanager(const std::vector<std::string>& args, const Registry& registry);
int command_taskmanager(const std::vector<std::string>& args, const Registry& registry);
int command_cluster(const std::vector<std::string>& args, const Registry& registry);

}  // namespace millrace
