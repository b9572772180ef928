// `millrace sink show|skip DIRECTORY SINK --lane L --epoch N [--part P] --rows 17,20`: looks at rows that wait for
// their target, and takes out those that the target refuses, so that the job can go on. The job must not run.
#pragma once

#include <string>
#include <vector>

#include "runtime/spi/factories.h"

namespace millrace {

int command_sink(const std::vector<std::string>& args, const Registry& registry);

}  // namespace millrace
