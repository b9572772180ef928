// Which panes and windows a time belongs to. Tumbling, sliding and cumulating windows are cut into panes of one width:
// a row is aggregated once, into its pane, and a window is the sum of its panes. Windows are half open, aligned to the
// epoch plus an offset, right for negative times. Pure; any thread.
#pragma once

#include <cstdint>

#include "data/datetime.h"

namespace millrace {

enum class WindowKind : uint8_t { kTumbling, kSliding, kCumulating, kSession, kCount, kGlobal };

class WindowGeometry {
 public:
  WindowGeometry() = default;
  /// Tumbling: slide = size. Cumulating: slide = step, size is a multiple of it. Offsets of any sign.
  WindowGeometry(WindowKind kind, int64_t size_ms, int64_t slide_ms, int64_t offset_ms);

  [[nodiscard]] int64_t size_ms() const { return size_; }
  [[nodiscard]] int64_t slide_ms() const { return slide_; }
  [[nodiscard]] int64_t pane_ms() const { return pane_; }
  /// Start of the block of `width` ms that holds the time; blocks are aligned as panes are.
  [[nodiscard]] int64_t align(int64_t time, int64_t width) const { return time - floor_mod(time - offset_, width); }
  /// Start of the pane of a time. Times beyond half the range of int64 count as that bound.
  [[nodiscard]] int64_t pane_of(int64_t time) const {
    const int64_t bound = INT64_MAX / 2;
    const int64_t clamped = time < -bound ? -bound : time > bound ? bound : time;
    return clamped - floor_mod(clamped - offset_, pane_);
  }
  /// Smallest end of a window that holds the pane and has end - 1 > after; INT64_MAX when there is none.
  [[nodiscard]] int64_t next_end(int64_t pane, int64_t after) const;
  /// Greatest end of a window that holds the pane; INT64_MIN when it lies in no window (slide > size).
  [[nodiscard]] int64_t last_end(int64_t pane) const;
  [[nodiscard]] int64_t window_start(int64_t end) const;
  /// No pane before it lies in a window with end - 1 > after.
  [[nodiscard]] int64_t first_pane_behind(int64_t after) const {
    return after < INT64_MIN + size_ ? INT64_MIN : after + 1 - size_;
  }

 private:
  WindowKind kind_ = WindowKind::kTumbling;
  int64_t size_ = 1;
  int64_t slide_ = 1;
  int64_t offset_ = 0;
  int64_t pane_ = 1;
};

}  // namespace millrace
