// `map:` computes columns: `keep: all` or a list, `drop:`, then `name: expression`. A name that is also kept replaces
// that column in its place. The event time stays a property of the row.
#pragma once

#include "runtime/spi/factories.h"

namespace millrace {

void register_map(Registry& registry);

}  // namespace millrace
