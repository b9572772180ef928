// `union:` over several inputs with equal columns: batches pass through, the watermark is the minimum (done by the
// task).
#pragma once

#include "runtime/spi/factories.h"

namespace millrace {

void register_union(Registry& registry);

}  // namespace millrace
