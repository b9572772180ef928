#include "runtime/operators/register_all.h"

#include "runtime/operators/aggregate/aggregate.h"
#include "runtime/operators/broadcast/broadcast.h"
#include "runtime/operators/dedup/dedup.h"
#include "runtime/operators/filter/filter.h"
#include "runtime/operators/flat_map/flat_map.h"
#include "runtime/operators/join/join.h"
#include "runtime/operators/map/map.h"
#include "runtime/operators/over/over.h"
#include "runtime/operators/pattern/pattern.h"
#include "runtime/operators/print/print.h"
#include "runtime/operators/process/process.h"
#include "runtime/operators/sample/sample.h"
#include "runtime/operators/sort/sort.h"
#include "runtime/operators/throttle/throttle.h"
#include "runtime/operators/top/top.h"
#include "runtime/operators/union/union.h"
#include "runtime/operators/window/window.h"

namespace millrace {

void register_operators(Registry& registry) {
  register_aggregate(registry);
  register_broadcast(registry);
  register_filter(registry);
  register_map(registry);
  register_flat_map(registry);
  register_join(registry);
  register_dedup(registry);
  register_over(registry);
  register_pattern(registry);
  register_print_step(registry);
  register_process(registry);
  register_sample(registry);
  register_sort(registry);
  register_throttle(registry);
  register_top(registry);
  register_union(registry);
  register_window(registry);
}

}  // namespace millrace
