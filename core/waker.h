// Wakes a parked worker thread: an eventfd. notify() from any thread (also inside library callbacks); wait() from one.
// A notify before the wait is not lost.
#pragma once

#include <atomic>
#include <cstdint>

namespace millrace {

class Waker {
 public:
  Waker();
  ~Waker();
  Waker(const Waker&) = delete;
  Waker& operator=(const Waker&) = delete;

  void notify();
  /// Sleeps until notified or `timeout_ms` passed (-1: no limit); clears the notice.
  void wait(int timeout_ms);
  /// For libraries that write to a descriptor on their events (librdkafka's io events write 8 bytes).
  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_;
  std::atomic<bool> notified_{false};
};

}  // namespace millrace
