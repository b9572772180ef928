// `dedup`: one row per key, the first or the last. The meaning of the fields is in the descriptor and in
// docs/job-file.md; planning and running start here.
#pragma once

#include "runtime/spi/factories.h"

namespace millrace {

void register_dedup(Registry& registry);

}  // namespace millrace
