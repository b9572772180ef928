// The timers of the rows of a KeyedRows. Those of rows in memory name the row; when a row leaves memory its timer goes
// on under the row's key (runtime/operators/key_timers.h) and brings it back when it is due: the codec's `load` then
// sets it anew. A row has one timer at most. Task's thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/operators/key_timers.h"
#include "runtime/operators/keyed_rows.h"

namespace millrace {

class RowTimers {
 public:
  explicit RowTimers(KeyedRows& rows) : rows_(rows) {}

  void set(int64_t time, char* row) { near_.emplace(time, row); }
  void erase(int64_t time, char* row) { near_.erase({time, row}); }
  /// The row leaves memory.
  void leave(int64_t time, char* row) {
    near_.erase({time, row});
    left_.set(time, KeyedTable::key_of(row));
  }
  [[nodiscard]] int64_t next() const {
    return std::min(near_.empty() ? INT64_MAX : near_.begin()->first, left_.next());
  }
  /// Whether a row has a timer at or below `until`; the first such row is in memory then.
  Result<bool> due(int64_t until) {
    while (true) {
      const int64_t first = near_.empty() ? until : std::min(until, near_.begin()->first);
      MR_ASSIGN(const bool some, left_.due(first));
      if (!some) return !near_.empty() && near_.begin()->first <= until;
      std::vector<std::string_view> keys;
      left_.peek(first, kAtOnce, keys);
      MR_TRY(rows_.fetch(keys));  // one that was back before, or is gone, has nothing to do
      for (size_t i = 0; i < keys.size(); ++i) left_.pop();
    }
  }
  /// REQUIRES: due(). The row must be made writable.
  std::pair<int64_t, char*> pop() { return near_.extract(near_.begin()).value(); }

  /// Of rows that are not in memory.
  KeyTimers& left() { return left_; }

 private:
  static constexpr size_t kAtOnce = 512;
  KeyedRows& rows_;
  std::set<std::pair<int64_t, char*>> near_;
  KeyTimers left_;
};

}  // namespace millrace
