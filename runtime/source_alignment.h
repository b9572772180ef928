// Keeps the sources of a job together in event time (`max_drift`): each subtask of such a source reports the event time
// of its slowest split, and learns the slowest of all. Any thread; a report is one store, a question a few loads.
// Known to the subtasks of one deployment.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <deque>

namespace millrace {

class SourceAlignment {
 public:
  /// A subtask that takes part; while sources are being made only.
  size_t join() {
    slowest_.emplace_back(INT64_MAX);
    return slowest_.size() - 1;
  }
  /// INT64_MAX: the subtask has no split that others wait for.
  void report(size_t member, int64_t event_time) { slowest_[member].store(event_time, std::memory_order_relaxed); }
  [[nodiscard]] int64_t slowest() const {
    int64_t found = INT64_MAX;
    for (const auto& one : slowest_) found = std::min(found, one.load(std::memory_order_relaxed));
    return found;
  }

 private:
  std::deque<std::atomic<int64_t>> slowest_;
};

}  // namespace millrace
