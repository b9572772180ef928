#include "core/clock.h"

#include <ctime>

namespace millrace {
namespace {

int64_t read_clock_ns(clockid_t id) {
  timespec now{};
  clock_gettime(id, &now);
  return static_cast<int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

class SystemClock final : public Clock {
 public:
  [[nodiscard]] int64_t wall_ms() const override { return read_clock_ns(CLOCK_REALTIME) / 1'000'000; }
  [[nodiscard]] int64_t monotonic_ns() const override { return read_clock_ns(CLOCK_MONOTONIC); }
};

}  // namespace

Clock& system_clock() {
  static SystemClock clock;
  return clock;
}

}  // namespace millrace
