// `throttle: rows_per_second`: lets rows pass at a steady pace, for development.
#pragma once

#include "runtime/spi/factories.h"

namespace millrace {

void register_throttle(Registry& registry);

}  // namespace millrace
