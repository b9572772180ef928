// `filter: expression`: keeps the rows for which the condition is TRUE. Sets a selection and copies nothing.
#pragma once

#include "runtime/spi/factories.h"

namespace millrace {

void register_filter(Registry& registry);

}  // namespace millrace
