// A table of PostgreSQL that look-up joins ask: many keys in one statement.
#pragma once

#include "runtime/spi/lookup.h"

namespace millrace {

LookupDescriptor postgres_lookup_descriptor();

}  // namespace millrace
