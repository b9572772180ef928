// `millrace test job.yaml [--filter NAME] [--update] [--chaos SEED] [--junit FILE] [--param k=v] [--set path=value]`:
// runs the file's `tests:` in virtual time. Exit 0 all passed, 1 a test failed, 2 the file or the usage is wrong.
#pragma once

#include <string>
#include <vector>

#include "runtime/spi/factories.h"

namespace millrace {

int command_test(const std::vector<std::string>& args, const Registry& registry);

}  // namespace millrace
