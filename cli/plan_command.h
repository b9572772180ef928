// `millrace plan job.yaml [--against CHECKPOINT] [--format text|dot|json] [--param k=v] [--set path=value]`: how a job
// would run. Exit 0, 2 for an invalid job or usage, 4 when the checkpoint's state does not fit.
#pragma once

#include <string>
#include <vector>

#include "runtime/spi/factories.h"

namespace millrace {

int command_plan(const std::vector<std::string>& args, const Registry& registry);

}  // namespace millrace
