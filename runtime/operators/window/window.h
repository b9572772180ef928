// `window:` with `aggregate:`: aggregates per key and window. One result per key when the window fires.
#pragma once

#include "runtime/spi/factories.h"

namespace millrace {

void register_window(Registry& registry);

}  // namespace millrace
