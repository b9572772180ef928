// `millrace audit DIRECTORY`: compares the output of a job's exactly-once sinks with the commit markers and with the
// rows that retained checkpoints still hold. The job must not run.
#pragma once

#include <string>
#include <vector>

#include "runtime/spi/factories.h"

namespace millrace {

int command_audit(const std::vector<std::string>& args, const Registry& registry);

}  // namespace millrace
