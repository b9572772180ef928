#include "core/waker.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/status.h"

namespace millrace {

Waker::Waker() : fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  MR_CHECK(fd_ >= 0, "eventfd failed: too many open files?");
}

Waker::~Waker() { close(fd_); }

void Waker::notify() {
  // Only the first notice since the last wait costs a system call.
  if (notified_.exchange(true, std::memory_order_acq_rel)) return;
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(fd_, &one, sizeof one);  // EAGAIN: a notice is pending anyway
}

void Waker::wait(int timeout_ms) {
  pollfd waited{fd_, POLLIN, 0};
  if (!notified_.load(std::memory_order_acquire)) poll(&waited, 1, timeout_ms);
  // The descriptor is drained before the flag falls: a notify in between finds the flag set and writes nothing, but its
  // cause happened before this call returns, and the caller looks for work after every wait.
  uint64_t count = 0;
  [[maybe_unused]] const ssize_t got = read(fd_, &count, sizeof count);
  notified_.exchange(false, std::memory_order_acq_rel);
}

}  // namespace millrace
