// When a window fires besides, or instead of, at its end: conditions on the rows since the last firing and on the time
// since the first of them, composed with any and all. A firing resets all of it. Pure; any thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include "core/bytes.h"

namespace millrace {

/// What a window remembers for its trigger. Zero-filled: nothing came since the last firing.
struct TriggerState {
  int64_t rows = 0;     // since the last firing
  int64_t first = 0;    // time of the first of them; what follows counts with rows > 0 only
  int64_t reached = 0;  // the latest of the trigger's times that has passed; first: none
  int64_t reserved = 0;

  void save(ByteWriter& out) const {
    for (const int64_t part : {rows, first, reached}) out.put(part);
  }
  void load(ByteReader& in) {
    for (int64_t* part : {&rows, &first, &reached}) *part = in.get<int64_t>();
  }
  void add_row(int64_t time) {
    if (rows++ == 0) first = reached = time;
  }
  /// Windows that merge are one from now on.
  void merge(const TriggerState& other) {
    if (other.rows == 0) return;
    if (rows == 0) {
      *this = other;
      return;
    }
    rows += other.rows;
    reached = std::max(reached, other.reached);
    first = std::min(first, other.first);
  }
};

struct WindowTrigger {
  enum class Kind : uint8_t { kRows, kTime, kAny, kAll };
  Kind kind = Kind::kAny;
  int64_t number = 0;                // kRows: so many; kTime: milliseconds since the first row
  std::vector<WindowTrigger> parts;  // kAny, kAll

  [[nodiscard]] bool asked_for() const { return kind != Kind::kAny || !parts.empty(); }

  [[nodiscard]] bool fires(const TriggerState& state) const {
    const auto part_fires = [&state](const WindowTrigger& part) { return part.fires(state); };
    switch (kind) {
      case Kind::kRows:
        return state.rows >= number;
      case Kind::kTime:
        return state.rows > 0 && time_of(state) <= state.reached;
      case Kind::kAny:
        return std::any_of(parts.begin(), parts.end(), part_fires);
      case Kind::kAll:
        return std::all_of(parts.begin(), parts.end(), part_fires);
    }
    return false;
  }

  /// The next time at which something may change; INT64_MAX: none.
  [[nodiscard]] int64_t next_time(const TriggerState& state) const {
    int64_t next = std::numeric_limits<int64_t>::max();
    if (kind == Kind::kTime && state.rows > 0 && time_of(state) > state.reached) next = time_of(state);
    for (const WindowTrigger& part : parts) next = std::min(next, part.next_time(state));
    return next;
  }

 private:
  [[nodiscard]] int64_t time_of(const TriggerState& state) const {
    int64_t time = 0;
    return __builtin_add_overflow(state.first, number, &time) ? std::numeric_limits<int64_t>::max() : time;
  }
};

}  // namespace millrace
