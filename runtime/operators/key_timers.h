// The event-time timers of keys, in the order of time, then of keys; a key has each of its times once. With a store the
// latest leave memory when it must: they lie there in the order of time behind a remembered bound, below which nothing
// is ever read again, so that firing costs no search. Timers follow from the keys' state and are in no snapshot.
// Task's thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/spi/operator.h"

namespace millrace {

class KeyTimers {
 public:
  /// `state` names them in the store; `name` tells several of one state apart.
  Status open(const OperatorContext& context, const StateDescriptor& state, std::string_view name);

  void set(int64_t time, std::string_view key);
  [[nodiscard]] bool empty() const { return near_.empty() && !far_; }
  /// The earliest; INT64_MAX when there is none.
  [[nodiscard]] int64_t next() const { return std::min(first_in_memory(), far_.value_or(INT64_MAX)); }
  /// Whether there is one at or below `until`; it is in memory then. `until` never goes back.
  Result<bool> due(int64_t until);
  /// Takes the first. REQUIRES: due().
  std::pair<int64_t, std::string> pop();
  /// Appends the keys of the next few timers in memory up to `until`; good until they are popped.
  void peek(int64_t until, size_t count, std::vector<std::string_view>& keys) const;

  [[nodiscard]] size_t memory_bytes() const { return bytes_; }
  /// Moves the latest into the store until about `bytes` are free; answers how many are.
  Result<size_t> spill(size_t bytes);
  /// Their part of `bytes` that are to leave of `total`.
  Result<size_t> spill_part(size_t bytes, size_t total);

 private:
  using Keys = std::set<std::string, std::less<>>;
  [[nodiscard]] int64_t first_in_memory() const { return near_.empty() ? INT64_MAX : near_.begin()->first; }
  Status recall(int64_t until);
  Status forget_taken();
  static size_t bytes_of(std::string_view key);

  std::map<int64_t, Keys> near_;
  size_t bytes_ = 0;
  int64_t due_until_ = INT64_MIN;  // timers at or below it stay in memory

  TaskStore* store_ = nullptr;
  uint32_t max_parallelism_ = 0;
  std::string prefix_;
  std::optional<int64_t> far_;  // the earliest in the store
  bool cut_ = false;            // of its time some are in memory already, and go first: too many for one recall
  std::string from_;            // its key there: those below were taken
  uint32_t recalls_ = 0;
};

}  // namespace millrace
