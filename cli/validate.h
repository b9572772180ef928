// `millrace validate job.yaml [--connect] [--format text|json|sarif|github] [--deny-warnings] [--param k=v] [--set
// path=value]`: every mistake of a job file with its place. Exit 0 valid, 2 invalid; with --connect also 3 when a
// server is not reachable and 1 when one refuses.
#pragma once

#include <string>
#include <vector>

#include "runtime/spi/factories.h"

namespace millrace {

int command_validate(const std::vector<std::string>& args, const Registry& registry);

}  // namespace millrace
