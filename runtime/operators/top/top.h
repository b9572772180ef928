// `top`: the first n rows per key in some order. The meaning of the fields is in the descriptor and in
// docs/job-file.md; planning and running start here.
#pragma once

#include "runtime/spi/factories.h"

namespace millrace {

void register_top(Registry& registry);

}  // namespace millrace
