// Keys of Redis that look-up joins ask: hashes or JSON texts, as the sink writes them.
#pragma once

#include "runtime/spi/lookup.h"

namespace millrace {

LookupDescriptor redis_lookup_descriptor();

}  // namespace millrace
