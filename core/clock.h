// Time behind an interface, so that tests and simulations own it. Milliseconds since the epoch for wall time,
// nanoseconds for measuring. Any thread.
#pragma once

#include <atomic>
#include <cstdint>

namespace millrace {

class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual int64_t wall_ms() const = 0;
  [[nodiscard]] virtual int64_t monotonic_ns() const = 0;
};

Clock& system_clock();

/// Moves only when told to.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(int64_t wall_ms = 0) : wall_ms_(wall_ms) {}
  [[nodiscard]] int64_t wall_ms() const override { return wall_ms_.load(std::memory_order_relaxed); }
  [[nodiscard]] int64_t monotonic_ns() const override { return wall_ms() * 1'000'000; }
  void advance_ms(int64_t by) { wall_ms_.fetch_add(by, std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> wall_ms_;
};

}  // namespace millrace
