// What an interval join keeps of one key: the rows of both sides in the order of time, as references into kept_rows.h.
// Rows mostly come in that order and leave from the front. Task's thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <optional>
#include <span>
#include <vector>

#include "runtime/operators/join/kept_rows.h"

namespace millrace {

struct IntervalRow {
  int64_t time = 0;
  KeptRows::Ref ref = KeptRows::kNone;
  uint32_t matches = 0;
};

class IntervalSide {
 public:
  [[nodiscard]] bool empty() const { return first_ == std::ssize(rows_); }
  [[nodiscard]] std::span<IntervalRow> rows() { return std::span(rows_).subspan(static_cast<size_t>(first_)); }
  [[nodiscard]] std::span<const IntervalRow> rows() const {
    return std::span(rows_).subspan(static_cast<size_t>(first_));
  }
  [[nodiscard]] const IntervalRow& front() const { return *(rows_.begin() + first_); }

  /// Behind the rows of the same time.
  void add(const IntervalRow& row) {
    if (first_ >= kSlackMin && first_ * 2 >= std::ssize(rows_)) {
      rows_.erase(rows_.begin(), rows_.begin() + first_);
      first_ = 0;
    }
    auto at = rows_.end();
    if (!empty() && row.time < rows_.back().time) {
      at = std::upper_bound(rows_.begin() + first_, rows_.end(), row.time,
                            [](int64_t time, const IntervalRow& other) { return time < other.time; });
    }
    rows_.insert(at, row);
  }
  void drop_front() {
    if (++first_ < std::ssize(rows_)) return;
    rows_.clear();
    first_ = 0;
  }

 private:
  static constexpr std::ptrdiff_t kSlackMin = 16;
  std::vector<IntervalRow> rows_;
  std::ptrdiff_t first_ = 0;  // rows before it are gone
};

struct IntervalKey {
  IntervalSide sides[2];
  std::optional<int64_t> timer;  // the earliest that is set; derived
  uint32_t timers = 0;           // set and not yet popped: the key must stay while there are any

  [[nodiscard]] bool idle() const { return timers == 0 && sides[0].empty() && sides[1].empty(); }
};

}  // namespace millrace
