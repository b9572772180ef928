// `millrace state list|get|scan|diff`: reads the named state of a running job, a checkpoint or a savepoint.
#pragma once

#include <string>
#include <vector>

#include "runtime/spi/factories.h"

namespace millrace {

int command_state(const std::vector<std::string>& args, const Registry& registry);

}  // namespace millrace
