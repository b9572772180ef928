// Watermarks of one source subtask: one generator per split (highest timestamp − out_of_orderness − 1 ms), combined to
// the minimum over splits that are neither idle nor finished; it never goes back. Pure bookkeeping, no clock of its
// own: `active_ms` is time that passed while the task was not back-pressured, which alone counts towards idleness.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "data/batch.h"

namespace millrace {

class SplitWatermarks {
 public:
  struct Saved {
    int64_t max_timestamp = kWatermarkMin;
    int64_t watermark = kWatermarkMin;
  };

  /// `idle_timeout_ms` < 0: splits never turn idle.
  SplitWatermarks(int64_t out_of_orderness_ms, int64_t idle_timeout_ms)
      : out_of_orderness_ms_(out_of_orderness_ms), idle_timeout_ms_(idle_timeout_ms) {}

  [[nodiscard]] uint32_t size() const { return static_cast<uint32_t>(splits_.size()); }
  void add(const Saved& restored, int64_t active_ms);
  /// Rows of the split came; `max_timestamp` = kWatermarkMin when none of them may move the watermark.
  void rows(uint32_t split, int64_t max_timestamp, int64_t active_ms);
  /// The source itself says that the split has reached `watermark`.
  void advance(uint32_t split, int64_t watermark);
  void finish(uint32_t split) { splits_[split].finished = true; }
  /// A split turns idle when no row came for the timeout and it has delivered all that exists.
  void look_for_idle(uint32_t split, bool at_end, int64_t active_ms);
  /// Active time at which look_for_idle may first find something; INT64_MAX: never.
  [[nodiscard]] int64_t next_idle_ms() const;

  /// The combined watermark so far. Calculated anew when something changed.
  int64_t combined();
  /// No split holds the watermark back: all idle or finished, or there is none.
  [[nodiscard]] bool all_idle() const;
  /// What a snapshot keeps; an idle split takes the combined watermark, so that a restore does not fall behind it.
  [[nodiscard]] Saved saved(uint32_t split) const;
  [[nodiscard]] int64_t watermark(uint32_t split) const { return splits_[split].watermark; }
  [[nodiscard]] bool idle(uint32_t split) const { return splits_[split].idle; }
  /// Event time of the slowest split that others have to wait for: neither idle nor finished. One that never had a row
  /// counts unless it is at its end. INT64_MAX: there is none.
  template <class AtEnd>
  [[nodiscard]] int64_t slowest(AtEnd&& at_end) const {
    int64_t found = INT64_MAX;
    for (uint32_t i = 0; i < splits_.size(); ++i) {
      const Split& s = splits_[i];
      if (s.idle || s.finished || (s.max_timestamp == kWatermarkMin && at_end(i))) continue;
      found = std::min(found, s.max_timestamp);
    }
    return found;
  }
  /// How many splits that are not finished have got beyond `event_time`, and whether those are all.
  [[nodiscard]] uint32_t above(int64_t event_time, bool& all) const {
    uint32_t number = 0;
    all = true;
    for (const Split& s : splits_) {
      if (s.finished) continue;
      const bool is = s.max_timestamp > event_time;
      number += is ? 1 : 0;
      all = all && is;
    }
    return number;
  }
  [[nodiscard]] int64_t max_timestamp(uint32_t split) const { return splits_[split].max_timestamp; }

 private:
  struct Split {
    int64_t max_timestamp = kWatermarkMin;
    int64_t watermark = kWatermarkMin;
    int64_t last_row_ms = 0;
    bool idle = false;
    bool finished = false;
  };
  int64_t out_of_orderness_ms_;
  int64_t idle_timeout_ms_;
  std::vector<Split> splits_;
  int64_t combined_ = kWatermarkMin;
};

}  // namespace millrace
