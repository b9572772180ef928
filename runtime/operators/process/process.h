// `process`: keyed state, timers and a small language of actions for what no other operator does. The meaning of the
// fields is in the descriptor and in docs/job-file.md.
#pragma once

#include "runtime/spi/factories.h"

namespace millrace {

void register_process(Registry& registry);

}  // namespace millrace
