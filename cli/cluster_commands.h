// `millrace list | status | cancel | stop | savepoint | checkpoints | rescale | logs`: one call each to a running
// cluster.
#pragma once

#include <string>
#include <vector>

#include "runtime/spi/factories.h"

namespace millrace {

int command_list(const std::vector<std::string>& args, const Registry& registry);
int command_status(const std::vector<std::string>& args, const Registry& registry);
int command_cancel(const std::vector<std::string>& args, const Registry& registry);
int command_stop(const std::vector<std::string>& args, const Registry& registry);
int command_savepoint(const std::vector<std::string>& args, const Registry& registry);
int command_checkpoints(const std::vector<std::string>& args, const Registry& registry);
int command_rescale(const std::vector<std::string>& args, const Registry& registry);
int command_logs(const std::vector<std::string>& args, const Registry& registry);

}  // namespace millrace
