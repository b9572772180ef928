#include "core/waker.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/status.h"

namespace millrace {

Waker::Waker() : fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) { MR_CHECK(fd_ >= 0, "eventfd"); }

Waker::~Waker() { close(fd_); }

void Waker::notify() {
  // One write until the next wait is enough; the flag spares busy notifiers the system call.
  if (notified_.exchange(true, std::memory_order_acq_rel)) return;
  const uint64_t one = 1;
  if (write(fd_, &one, sizeof one) < 0) return;  // full counter: already readable
}

void Waker::wait(int timeout_ms) {
  pollfd poller{fd_, POLLIN, 0};
  poll(&poller, 1, timeout_ms);
  // Cleared before the caller looks at its queues: a notice that comes later is seen by the next wait.
  notified_.store(false, std::memory_order_release);
  uint64_t count = 0;
  if (read(fd_, &count, sizeof count) < 0) return;  // timed out
}

}  // namespace millrace
