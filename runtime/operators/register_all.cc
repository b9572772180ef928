#include "runtime/operators/register_all.h"

#include "runtime/operators/aggregate/aggregate.h"
#include "runtime/operators/filter/filter.h"
#include "runtime/operators/flat_map/flat_map.h"
#include "runtime/operators/join/join.h"
#include "runtime/operators/map/map.h"
#include "runtime/operators/union/union.h"
#include "runtime/operators/window/window.h"

namespace millrace {

void register_operators(Registry& registry) {
  register_aggregate(registry);
  register_filter(registry);
  register_map(registry);
  register_flat_map(registry);
  register_join(registry);
  register_union(registry);
  register_window(registry);
}

}  // namespace millrace
