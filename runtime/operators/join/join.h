// `join: {kind: regular|interval|window|temporal, type: …, left: …, right: …, equal: …}`: two inputs into one.
#pragma once

#include "runtime/spi/factories.h"

namespace millrace {

void register_join(Registry& registry);

}  // namespace millrace
