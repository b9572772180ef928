// `millrace submit job.yaml` and `millrace upgrade JOB job.yaml`: a job file to a running cluster. The file is planned
// there; its mistakes come back with their places.
#pragma once

#include <string>
#include <vector>

#include "runtime/spi/factories.h"

namespace millrace {

int command_submit(const std::vector<std::string>& args, const Registry& registry);
int command_upgrade(const std::vector<std::string>& args, const Registry& registry);

}  // namespace millrace
