#include "runtime/split_watermarks.h"

#include <algorithm>

namespace millrace {

void SplitWatermarks::add(const Saved& restored, int64_t active_ms) {
  splits_.push_back(
      {.max_timestamp = restored.max_timestamp, .watermark = restored.watermark, .last_row_ms = active_ms});
}

void SplitWatermarks::rows(uint32_t split, int64_t max_timestamp, int64_t active_ms) {
  Split& s = splits_[split];
  s.last_row_ms = active_ms;
  s.idle = false;
  if (max_timestamp <= s.max_timestamp) return;
  s.max_timestamp = max_timestamp;
  int64_t watermark = 0;
  if (__builtin_sub_overflow(max_timestamp, out_of_orderness_ms_ + 1, &watermark)) return;
  s.watermark = std::max(s.watermark, watermark);
}

void SplitWatermarks::advance(uint32_t split, int64_t watermark) {
  splits_[split].idle = false;
  splits_[split].watermark = std::max(splits_[split].watermark, watermark);
}

void SplitWatermarks::look_for_idle(uint32_t split, bool at_end, int64_t active_ms) {
  Split& s = splits_[split];
  if (idle_timeout_ms_ < 0 || s.finished) return;
  s.idle = at_end && active_ms - s.last_row_ms >= idle_timeout_ms_;
}

int64_t SplitWatermarks::next_idle_ms() const {
  if (idle_timeout_ms_ < 0) return INT64_MAX;
  int64_t next = INT64_MAX;
  for (const Split& s : splits_) {
    if (!s.idle && !s.finished) next = std::min(next, s.last_row_ms + idle_timeout_ms_);
  }
  return next;
}

int64_t SplitWatermarks::combined() {
  int64_t lowest = INT64_MAX;
  int64_t highest_idle = kWatermarkMin;
  bool live = false;
  for (const Split& s : splits_) {
    if (s.finished) continue;
    if (s.idle) {
      highest_idle = std::max(highest_idle, s.watermark);
      continue;
    }
    live = true;
    lowest = std::min(lowest, s.watermark);
  }
  // All idle: what the others had reached counts, whichever of them turned idle last.
  combined_ = std::max(combined_, live ? lowest : highest_idle);
  return combined_;
}

bool SplitWatermarks::all_idle() const {
  return std::all_of(splits_.begin(), splits_.end(), [](const Split& s) { return s.idle || s.finished; });
}

SplitWatermarks::Saved SplitWatermarks::saved(uint32_t split) const {
  const Split& s = splits_[split];
  return {.max_timestamp = s.max_timestamp, .watermark = s.idle ? std::max(s.watermark, combined_) : s.watermark};
}

}  // namespace millrace
