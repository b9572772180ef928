// `print: n`: shows the first rows that pass on standard error, for development.
#pragma once

#include "runtime/spi/factories.h"

namespace millrace {

void register_print_step(Registry& registry);

}  // namespace millrace
