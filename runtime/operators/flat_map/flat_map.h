// `flat_map: {unnest, as, keep}`: one row per element of an ARRAY or entry of a MAP. `unnest` is a column or an
// expression such as SPLIT(line, ' '); `as` names the element (an ARRAY of ROW: its fields, a MAP: key and value);
// `keep: all` or a list repeats columns of the input. NULL and empty give no row.
#pragma once

#include "runtime/spi/factories.h"

namespace millrace {

void register_flat_map(Registry& registry);

}  // namespace millrace
