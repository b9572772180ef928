// Fires the timers that are due, with the objects of their keys brought into memory some hundred at a time. Task's
// thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/operators/key_timers.h"
#include "runtime/operators/object_store.h"

namespace millrace {

/// fire(key, time) for every timer at or below `until`; false: full() answered true first.
template <class Full, class Fire>
Result<bool> fire_keys(KeyTimers& timers, ObjectStore& store, int64_t until, Full full, Fire fire) {
  constexpr size_t kAtOnce = 512;
  std::vector<std::string_view> keys;
  size_t in_memory = 0;
  while (true) {
    MR_ASSIGN(const bool due, timers.due(until));
    if (!due) return true;
    if (full()) return false;
    if (in_memory == 0) {
      // What fired so far has left nothing in hand.
      MR_TRY(store.balance());
      keys.clear();
      timers.peek(until, kAtOnce, keys);
      MR_TRY(store.prefetch(keys));
      in_memory = keys.size();
    }
    --in_memory;
    const auto [time, key] = timers.pop();
    MR_TRY(fire(key, time));
  }
}

}  // namespace millrace
