// `join: {kind: regular|interval|window|temporal|lookup, type: …, left: …, right: …, equal: …}`: two inputs into one
// (lookup: one input and a table outside).
#pragma once

#include "runtime/spi/factories.h"

namespace millrace {

void register_join(Registry& registry);

}  // namespace millrace
