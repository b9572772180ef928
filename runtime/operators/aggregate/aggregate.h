// `aggregate:` without a window: running aggregates per key. `emit: upsert` (default) is a changelog of their results,
// once per key and batch; `emit: append` gives one row per input row.
#pragma once

#include "runtime/spi/factories.h"

namespace millrace {

void register_aggregate(Registry& registry);

}  // namespace millrace
