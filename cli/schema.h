// `millrace schema [--reference]`: the JSON Schema of the job file, for editors; with --reference the tables of the
// handbook's page docs/job-file.md.
#pragma once

#include <string>
#include <vector>

#include "runtime/spi/factories.h"

namespace millrace {

int command_schema(const std::vector<std::string>& args, const Registry& registry);

}  // namespace millrace
