// Files that look-up joins ask: read whole into memory when the job starts, and again after `reload`.
#pragma once

#include "runtime/spi/lookup.h"

namespace millrace {

LookupDescriptor file_lookup_descriptor();

}  // namespace millrace
