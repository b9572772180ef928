#include "runtime/worker.h"

#include <algorithm>

namespace millrace {

namespace {
constexpr int64_t kStepNs = 1'000'000;
}

Worker::~Worker() {
  stop();
  join();
}

void Worker::start() {
  thread_ = std::thread([this] { loop(); });
}

void Worker::join() {
  if (thread_.joinable()) thread_.join();
}

void Worker::stop() {
  stopping_.store(true, std::memory_order_release);
  waker_.notify();
}

void Worker::post(std::function<void(Task&)> command) {
  {
    const std::lock_guard lock(mutex_);
    mail_.push_back(std::move(command));
    has_mail_.store(true, std::memory_order_release);
  }
  waker_.notify();
}

void Worker::trigger_checkpoint(int64_t checkpoint_id, bool final) {
  post([=](Task& task) { task.trigger_checkpoint(checkpoint_id, final); });
}

void Worker::overtake(int64_t checkpoint_id) {
  post([=](Task& task) { task.overtake(checkpoint_id); });
}

void Worker::checkpoint_completed(int64_t checkpoint_id) {
  post([=](Task& task) { task.checkpoint_completed(checkpoint_id); });
}

void Worker::end_input() {
  post([](Task& task) { task.end_input(); });
}

void Worker::hold_sources(bool hold) {
  post([hold](Task& task) { task.hold_source(hold); });
}

void Worker::add_tap(TapPtr tap) {
  post([tap = std::move(tap)](Task& task) { task.add_tap(tap); });
}

bool Worker::handle_mail() {
  if (!has_mail_.load(std::memory_order_acquire)) return false;
  std::vector<std::function<void(Task&)>> mail;
  {
    const std::lock_guard lock(mutex_);
    mail.swap(mail_);
    has_mail_.store(false, std::memory_order_relaxed);
  }
  for (const auto& command : mail) {
    for (const auto& task : tasks_) command(*task);
  }
  return true;
}

bool Worker::run_once() {
  bool progressed = handle_mail();
  for (const auto& task : tasks_) {
    progressed = task->step(clock_.monotonic_ns() + kStepNs).progressed || progressed;
  }
  return progressed;
}

int64_t Worker::next_wakeup_ms() const {
  int64_t next = INT64_MAX;
  for (const auto& task : tasks_) next = std::min(next, task->next_wakeup_ms());
  return next;
}

void Worker::loop() {
  while (!stopping_.load(std::memory_order_acquire)) {
    if (run_once()) continue;
    const int64_t next = next_wakeup_ms();
    int timeout_ms = -1;
    if (next != INT64_MAX) timeout_ms = static_cast<int>(std::clamp<int64_t>(next - clock_.wall_ms(), 1, 60'000));
    waker_.wait(timeout_ms);
  }
  handle_mail();
}

}  // namespace millrace
