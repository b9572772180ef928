#include "runtime/operators/window/geometry.h"

#include <algorithm>
#include <numeric>

namespace millrace {

WindowGeometry::WindowGeometry(WindowKind kind, int64_t size_ms, int64_t slide_ms, int64_t offset_ms)
    : kind_(kind), size_(size_ms), slide_(slide_ms), offset_(offset_ms), pane_(std::gcd(size_ms, slide_ms)) {}

int64_t WindowGeometry::next_end(int64_t pane, int64_t after) const {
  if (after >= INT64_MAX - 1) return INT64_MAX;
  const int64_t lower = std::max(pane + pane_, after + 2);
  if (kind_ == WindowKind::kCumulating) {
    const int64_t period = align(pane, size_);
    if (lower > period + size_) return INT64_MAX;
    return period + (lower - period + slide_ - 1) / slide_ * slide_;
  }
  if (lower > pane + size_) return INT64_MAX;
  // Ends are congruent to offset + size modulo slide.
  const int64_t rest = floor_mod(lower - offset_ - size_, slide_);
  const int64_t end = rest == 0 ? lower : lower + slide_ - rest;
  return end - size_ <= pane ? end : INT64_MAX;
}

int64_t WindowGeometry::last_end(int64_t pane) const {
  if (kind_ == WindowKind::kCumulating) return align(pane, size_) + size_;
  const int64_t end = align(pane, slide_) + size_;
  return end > pane ? end : INT64_MIN;
}

int64_t WindowGeometry::window_start(int64_t end) const {
  return kind_ == WindowKind::kCumulating ? align(end - 1, size_) : end - size_;
}

}  // namespace millrace
