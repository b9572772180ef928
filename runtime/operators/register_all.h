// The list of all operators; adding one is a folder and a line in register_all.cc.
#pragma once

#include "runtime/spi/factories.h"

namespace millrace {

void register_operators(Registry& registry);

}  // namespace millrace
