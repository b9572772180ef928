// SIGINT and SIGTERM of a running job. The first asks for a stop; when the job has not ended `stop_timeout_ms` later,
// or on a second signal, it is ended at once; and when even that hangs, the process leaves. State stays resumable in
// each case.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>

namespace millrace {

/// Blocks both signals in the calling thread and all that it starts later; first thing in main's thread.
void block_stop_signals();

class StopSignals {
 public:
  StopSignals(int64_t stop_timeout_ms, std::function<void()> stop, std::function<void()> end_now);
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  /// The first signal that came; 0: none.
  [[nodiscard]] int received() const { return received_.load(); }

 private:
  void loop();

  int64_t stop_timeout_ms_;
  std::function<void()> stop_;
  std::function<void()> end_now_;
  std::atomic<int> received_{0};
  std::atomic<bool> over_{false};
  std::thread thread_;
};

}  // namespace millrace
