#include "jobmanager/job_thread.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

namespace millrace {

struct JobThread::Impl {
  explicit Impl(JobMasterConfig config) : clock(*config.clock), master(std::move(config)) {}

  void post(std::function<void(JobMaster&)> event) {
    {
      const std::lock_guard lock(mutex);
      events.push_back(std::move(event));
    }
    wake.notify_one();
  }

  void loop() {
    std::unique_lock lock(mutex);
    while (!stopping && !is_terminal(view.state)) {
      if (events.empty()) {
        lock.unlock();
        const int64_t deadline = master.next_deadline_ms();
        const int64_t now = clock.wall_ms();
        lock.lock();
        wait_for_event(lock, deadline == INT64_MAX ? -1 : std::clamp<int64_t>(deadline - now, 0, 60'000));
      }
      if (stopping) break;
      std::deque<std::function<void(JobMaster&)>> batch;
      batch.swap(events);
      lock.unlock();
      for (const auto& event : batch) event(master);
      master.on_time();
      lock.lock();
      publish();
    }
  }

  void wait_for_event(std::unique_lock<std::mutex>& lock, int64_t timeout_ms) {
    const auto ready = [&] { return stopping || !events.empty(); };
    if (timeout_ms < 0) {
      wake.wait(lock, ready);
    } else {
      wake.wait_for(lock, std::chrono::milliseconds(timeout_ms), ready);
    }
  }

  void publish() {
    view = master.view();
    if (is_terminal(view.state)) ended.notify_all();
  }

  Clock& clock;
  JobMaster master;
  mutable std::mutex mutex;
  std::condition_variable wake;
  mutable std::condition_variable ended;
  std::deque<std::function<void(JobMaster&)>> events;
  JobView view;
  bool stopping = false;
  std::thread thread;
};

JobThread::JobThread(JobMasterConfig config) : impl_(std::make_unique<Impl>(std::move(config))) {}

JobThread::~JobThread() { stop(); }

void JobThread::stop() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
  }
  impl_->wake.notify_one();
  if (impl_->thread.joinable()) impl_->thread.join();
}

Status JobThread::start() {
  MR_TRY(impl_->master.start());
  impl_->view = impl_->master.view();
  impl_->thread = std::thread([impl = impl_.get()] { impl->loop(); });
  return {};
}

void JobThread::post(ToJobManager message) {
  impl_->post([message = std::move(message)](JobMaster& master) { master.handle(message); });
}
void JobThread::request_stop() {
  impl_->post([](JobMaster& master) { master.request_stop(); });
}
void JobThread::request_cancel(bool resumable) {
  impl_->post([=](JobMaster& master) { master.request_cancel(resumable); });
}
void JobThread::request_checkpoint() {
  impl_->post([](JobMaster& master) { master.request_checkpoint(); });
}

JobView JobThread::view() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->view;
}

bool JobThread::wait(int64_t timeout_ms) const {
  std::unique_lock lock(impl_->mutex);
  const auto over = [&] { return is_terminal(impl_->view.state); };
  if (timeout_ms < 0) {
    impl_->ended.wait(lock, over);
    return true;
  }
  return impl_->ended.wait_for(lock, std::chrono::milliseconds(timeout_ms), over);
}

}  // namespace millrace
