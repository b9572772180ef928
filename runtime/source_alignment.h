// Keeps the sources of a job together in event time (`max_drift`): each subtask of such a source reports the event time
// of its slowest split, and learns the slowest of all. Subtasks of other members count as one, reported by the network
// now and then. Whoever has not reported yet holds everybody. Any thread; a report is one store, a question a few
// loads.
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
    slowest_.emplace_back(INT64_MIN);
    return slowest_.size() - 1;
  }
  /// INT64_MAX: the subtask has no split that others wait for.
  void report(size_t member, int64_t event_time) { slowest_[member].store(event_time, std::memory_order_relaxed); }
  /// The slowest of all other members; call it with INT64_MIN before the sources start, when there are some.
  void report_others(int64_t event_time) { others_.store(event_time, std::memory_order_relaxed); }
  [[nodiscard]] int64_t slowest() const { return std::min(slowest_here(), others_.load(std::memory_order_relaxed)); }
  [[nodiscard]] int64_t slowest_here() const {
    int64_t found = INT64_MAX;
    for (const auto& one : slowest_) found = std::min(found, one.load(std::memory_order_relaxed));
    return found;
  }

 private:
  std::deque<std::atomic<int64_t>> slowest_;
  std::atomic<int64_t> others_{INT64_MAX};
};

}  // namespace millrace
