// `sample: 0.01`: a random part of the rows, for development.
#pragma once

#include "runtime/spi/factories.h"

namespace millrace {

void register_sample(Registry& registry);

}  // namespace millrace
