#include "jobmanager/job_thread.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <future>
#include <mutex>
#include <thread>

namespace millrace {

struct JobThread::Impl {
  Impl(JobMasterConfig config, std::function<void()> end)
      : clock(*config.clock), on_end(std::move(end)), master(with_copies(std::move(config))) {}

  /// Savepoints are copied beside the job's thread.
  JobMasterConfig with_copies(JobMasterConfig config) {
    config.copy_aside = [this](const std::string& trigger_id, std::function<Status()> copy) {
      std::erase_if(copies, [](const std::future<void>& done) {
        return done.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
      });
      copies.push_back(std::async(std::launch::async, [this, trigger_id, copy = std::move(copy)] {
        post([trigger_id, status = copy()](JobMaster& job) { job.savepoint_written(trigger_id, status); });
      }));
    };
    return config;
  }

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
    const bool over = is_terminal(view.state);
    lock.unlock();
    if (over && on_end) on_end();
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
    graph = master.graph();
    if (is_terminal(view.state)) ended.notify_all();
  }

  Clock& clock;
  std::function<void()> on_end;
  std::vector<std::future<void>> copies;  // touched by the job's thread, and by stop() behind it
  JobMaster master;
  mutable std::mutex mutex;
  std::condition_variable wake;
  mutable std::condition_variable ended;
  std::deque<std::function<void(JobMaster&)>> events;
  JobView view;
  std::shared_ptr<const JobGraph> graph;
  bool stopping = false;
  std::thread thread;
};

JobThread::JobThread(JobMasterConfig config, std::function<void()> on_end)
    : impl_(std::make_unique<Impl>(std::move(config), std::move(on_end))) {}

JobThread::~JobThread() { stop(); }

void JobThread::stop() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
  }
  impl_->wake.notify_one();
  if (impl_->thread.joinable()) impl_->thread.join();
  impl_->copies.clear();  // waits for them
}

Status JobThread::start() {
  MR_TRY(impl_->master.start());
  impl_->publish();
  impl_->thread = std::thread([impl = impl_.get()] { impl->loop(); });
  return {};
}

void JobThread::post(ToJobManager message, std::string task_manager) {
  impl_->post([message = std::move(message), from = std::move(task_manager)](JobMaster& master) {
    master.handle(message, from);
  });
}
void JobThread::task_manager_lost(std::string task_manager, std::string reason) {
  impl_->post([task_manager = std::move(task_manager), reason = std::move(reason)](JobMaster& master) {
    master.task_manager_lost(task_manager, reason);
  });
}
void JobThread::slots_changed() {
  impl_->post([](JobMaster& master) { master.slots_changed(); });
}
void JobThread::request_stop(StopOrder order) {
  impl_->post([order = std::move(order)](JobMaster& master) { master.request_stop(order); });
}
void JobThread::request_cancel(bool resumable, bool now) {
  impl_->post([=](JobMaster& master) { master.request_cancel(resumable, now); });
}
void JobThread::request_checkpoint(std::string trigger_id) {
  impl_->post([trigger_id = std::move(trigger_id)](JobMaster& master) { master.request_checkpoint(trigger_id); });
}
void JobThread::request_savepoint(SavepointOrder order) {
  impl_->post([order = std::move(order)](JobMaster& master) { master.request_savepoint(order); });
}
void JobThread::request_replacement(ReplaceOrder order) {
  impl_->post([order = std::move(order)](JobMaster& master) { master.request_replacement(order); });
}
void JobThread::request_tap(std::string tap_id, std::string step, uint32_t rows, int64_t for_ms) {
  impl_->post([tap_id = std::move(tap_id), step = std::move(step), rows, for_ms](JobMaster& master) {
    master.request_tap(tap_id, step, rows, for_ms);
  });
}

Result<CheckpointChanges> JobThread::change_checkpoint_settings(CheckpointChanges changes) {
  const auto answer = std::make_shared<std::promise<Result<CheckpointChanges>>>();
  std::future<Result<CheckpointChanges>> done = answer->get_future();
  impl_->post([answer, changes = std::move(changes)](JobMaster& master) {
    answer->set_value(master.change_checkpoint_settings(changes));
  });
  // A job that ends meanwhile answers nothing.
  if (done.wait_for(std::chrono::seconds(10)) == std::future_status::ready) return done.get();
  return make_error(ErrorCode::kRefusedByState, "the job does not answer", "`millrace status` shows its state");
}

std::shared_ptr<const JobGraph> JobThread::graph() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->graph;
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
