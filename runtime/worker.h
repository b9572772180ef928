// A slot: one thread that steps the tasks of one job cooperatively, each for about a millisecond, and parks on its
// waker with the nearest timer when none of them can go on. Commands come through a mailbox that is looked at between
// steps; no lock is held across a step. Tests may step a worker themselves with run_once() instead of starting the
// thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "core/clock.h"
#include "core/waker.h"
#include "runtime/task.h"

namespace millrace {

class Worker {
 public:
  explicit Worker(Clock& clock) : clock_(clock) {}
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  [[nodiscard]] Waker& waker() { return waker_; }
  /// Before start().
  void add(std::unique_ptr<Task> task) { tasks_.push_back(std::move(task)); }
  void start();

  // Any thread.
  void trigger_checkpoint(int64_t checkpoint_id, bool final);
  void overtake(int64_t checkpoint_id);
  void checkpoint_completed(int64_t checkpoint_id);
  void end_input();
  void hold_sources(bool hold);
  void add_tap(TapPtr tap);
  /// The thread ends behind the commands posted before; join() waits for it.
  void stop();
  void join();

  /// Handles the mailbox and steps every task once; true when something moved.
  bool run_once();
  /// The nearest time at which a task wants to be stepped; INT64_MAX: only when woken.
  [[nodiscard]] int64_t next_wakeup_ms() const;

 private:
  void loop();
  void post(std::function<void(Task&)> command);
  bool handle_mail();

  Clock& clock_;
  Waker waker_;
  std::vector<std::unique_ptr<Task>> tasks_;
  std::thread thread_;
  std::mutex mutex_;
  std::vector<std::function<void(Task&)>> mail_;
  std::atomic<bool> has_mail_{false};
  std::atomic<bool> stopping_{false};
};

}  // namespace millrace
