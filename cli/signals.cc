#include "cli/signals.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <ctime>

#include "core/log.h"

namespace millrace {

namespace {

constexpr int64_t kLeaveAfterMs = 5'000;
constexpr int64_t kSameSignalMs = 300;

sigset_t stop_signal_set() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGUSR1);  // ends our own thread
  return set;
}

/// The signal, or 0 when none came in time.
int wait_for_stop_signal(int64_t timeout_ms) {
  const sigset_t set = stop_signal_set();
  if (timeout_ms < 0) {
    int signal = 0;
    sigwait(&set, &signal);
    return signal;
  }
  const timespec timeout{timeout_ms / 1000, (timeout_ms % 1000) * 1'000'000};
  const int signal = sigtimedwait(&set, nullptr, &timeout);
  return signal < 0 ? 0 : signal;
}

}  // namespace

void block_stop_signals() {
  const sigset_t set = stop_signal_set();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

StopSignals::StopSignals(int64_t stop_timeout_ms, std::function<void()> stop, std::function<void()> end_now)
    : stop_timeout_ms_(stop_timeout_ms),
      stop_(std::move(stop)),
      end_now_(std::move(end_now)),
      thread_([this] { loop(); }) {}

StopSignals::~StopSignals() {
  over_ = true;
  pthread_kill(thread_.native_handle(), SIGUSR1);
  thread_.join();
}

void StopSignals::loop() {
  const int first = wait_for_stop_signal(-1);
  if (over_) return;
  received_ = first;
  log_info("stopping; a second signal ends at once");
  stop_();
  // One Ctrl-C may come twice: to the process and to its group, as timeout(1) does it.
  wait_for_stop_signal(kSameSignalMs);
  if (over_) return;
  const int second = wait_for_stop_signal(stop_timeout_ms_);
  if (over_) return;
  log_warn(second == 0 ? "the stop timed out; ending without a checkpoint" : "ending without a checkpoint");
  end_now_();
  wait_for_stop_signal(kLeaveAfterMs);
  if (!over_) _exit(128 + first);
}

}  // namespace millrace
