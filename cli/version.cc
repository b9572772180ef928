#include "cli/version.h"

#include <cstdio>

namespace millrace {

int command_version(const std::vector<std::string>& /*args*/, const Registry& /*registry*/) {
  std::printf("millrace %s (%s, %s)\n", MILLRACE_VERSION, __VERSION__, MILLRACE_BUILD_NAME);
  return 0;
}

}  // namespace millrace
