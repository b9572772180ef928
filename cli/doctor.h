// `millrace doctor JOB [STEP]`: asks a running job why there is no output.
#pragma once

#include <string>
#include <vector>

namespace millrace {

struct Registry;
int command_doctor(const std::vector<std::string>& args, const Registry& registry);

}  // namespace millrace
