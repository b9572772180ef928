// `pattern`: rows of a key that follow each other in a described way (MATCH_RECOGNIZE). The meaning of the fields is in
// the descriptor and in docs/job-file.md.
#pragma once

#include "runtime/spi/factories.h"

namespace millrace {

void register_pattern(Registry& registry);

}  // namespace millrace
