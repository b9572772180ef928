#include "taskmanager/task_manager.h"

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "core/log.h"
#include "taskmanager/running_job.h"

namespace millrace {

struct TaskManager::Impl {
  Impl(TaskManagerConfig c, JobManagerLink& link)
      : config(std::move(c)), job_manager(link), thread([this] { loop(); }) {}

  ~Impl() {
    {
      const std::lock_guard lock(mutex);
      stopping = true;
    }
    wake.notify_one();
    thread.join();
  }

  void loop() {
    std::unique_lock lock(mutex);
    while (true) {
      wake.wait(lock, [&] { return stopping || cancel_everything || !queue.empty(); });
      if (stopping) break;
      const bool everything = std::exchange(cancel_everything, false);
      if (everything) {
        lock.unlock();
        jobs.clear();
        lock.lock();
        continue;
      }
      ToTaskManager message = std::move(queue.front());
      queue.pop_front();
      lock.unlock();
      std::visit([this](const auto& m) { handle(m); }, message);
      lock.lock();
    }
    lock.unlock();
    jobs.clear();
  }

  /// The job that the message is for; null when it is of an attempt that is gone.
  template <class M>
  RunningJob* job_of(const M& message) {
    const auto found = jobs.find(message.job_id);
    if (found != jobs.end() && found->second->attempt() == message.attempt) return found->second.get();
    log_debug("message of another attempt dropped", {{"job_id", message.job_id}, {"attempt", message.attempt}});
    return nullptr;
  }

  void handle(const DeployJob& message) {
    jobs.erase(message.job_id);
    auto started = RunningJob::start(config, message, job_manager);
    if (started) {
      jobs[message.job_id] = std::move(*started);
      return;
    }
    const Error& error = started.error();
    job_manager.send(
        TaskFailed{message.job_id, message.attempt, {}, "", std::string(error.info().code), error.message, error.help});
  }
  void handle(const TriggerCheckpoint& message) {
    if (RunningJob* job = job_of(message)) job->trigger_checkpoint(message);
  }
  void handle(const OvertakeCheckpoint& message) {
    if (RunningJob* job = job_of(message)) job->overtake_checkpoint(message);
  }
  void handle(const CheckpointCompleted& message) {
    if (RunningJob* job = job_of(message)) job->checkpoint_completed(message);
  }
  void handle(const CheckpointAborted& message) {
    if (RunningJob* job = job_of(message)) job->checkpoint_aborted(message);
  }
  void handle(const TapStep& message) {
    if (RunningJob* job = job_of(message)) job->tap(message);
  }
  void handle(const EndInput& message) {
    if (RunningJob* job = job_of(message)) job->end_input();
  }
  void handle(const HoldSources& message) {
    if (RunningJob* job = job_of(message)) job->hold_sources(message.hold);
  }
  void handle(const CancelJob& message) {
    if (job_of(message) != nullptr) jobs.erase(message.job_id);
    job_manager.send(JobCancelled{message.job_id, message.attempt});
  }

  TaskManagerConfig config;
  JobManagerLink& job_manager;
  std::map<std::string, std::unique_ptr<RunningJob>> jobs;
  std::mutex mutex;
  std::condition_variable wake;
  std::deque<ToTaskManager> queue;
  bool stopping = false;
  bool cancel_everything = false;
  std::thread thread;
};

TaskManager::TaskManager(TaskManagerConfig config, JobManagerLink& job_manager)
    : impl_(std::make_unique<Impl>(std::move(config), job_manager)) {}
TaskManager::~TaskManager() = default;

void TaskManager::receive(ToTaskManager message) {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->queue.push_back(std::move(message));
  }
  impl_->wake.notify_one();
}

void TaskManager::cancel_all() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->queue.clear();
    impl_->cancel_everything = true;
  }
  impl_->wake.notify_one();
}

}  // namespace millrace
