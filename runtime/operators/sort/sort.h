// `sort`: rows in the order of their event time. The meaning of the fields is in the descriptor and in
// docs/job-file.md; planning and running start here.
#pragma once

#include "runtime/spi/factories.h"

namespace millrace {

void register_sort(Registry& registry);

}  // namespace millrace
