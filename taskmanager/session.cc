#include "taskmanager/session.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <type_traits>

#include "core/log.h"
#include "rpc/codec.h"
#include "rpc/frames.h"
#include "taskmanager/task_manager.h"

namespace millrace {

namespace {

using SteadyTime = std::chrono::steady_clock::time_point;

}  // namespace

struct TaskManagerSession::Impl {
  explicit Impl(SessionConfig c) : config(std::move(c)) {}

  void start(TaskManager& manager) {
    task_manager = &manager;
    lost_at = std::chrono::steady_clock::now();
    FrameOptions options;
    options.silence_ms = config.silence_ms;
    FrameClient::Events events;
    events.opened = [this] { send(FromTaskManager(config.self)); };
    events.received = [this](std::string_view frame) { received(frame); };
    events.closed = [this](const std::string& reason) { lost(reason); };
    events.failed = [this](const std::string& reason) {
      if (!std::exchange(complained, true)) {
        log_warn("no job manager yet",
                 {{"address", config.host + ":" + std::to_string(config.port)}, {"reason", reason}});
      }
    };
    client = std::make_unique<FrameClient>(config.host, config.port, options, std::move(events));
    client->start();
    thread = std::thread([this] { loop(); });
  }

  void send(const FromTaskManager& message) { client->send(encode_frame(message)); }

  void received(std::string_view frame) {
    Result<FromJobManager> message = decode_from_job_manager(frame);
    if (!message) {
      client->drop(message.error().message);
      return;
    }
    std::visit([this](auto& m) { handle(m); }, *message);
  }

  void handle(const ReadNonce& question) {
    const Result<std::string> content = config.fs->read_all(question.path);
    send(content ? StorageNonce{*content, ""} : StorageNonce{"", content.error().message});
  }

  void handle(const Registered& answer) {
    log_info("registered at the job manager", {{"job_manager", answer.job_manager}});
    // Whatever ran before belongs to attempts that the job manager has given up.
    task_manager->cancel_all();
    const std::lock_guard lock(mutex);
    registered = true;
    complained = false;
    lost_at.reset();
  }

  void handle(const RegistrationRefused& refused) {
    log_error("refused by the job manager", {{"reason", refused.message}, {"help", refused.help}});
    if (refused.final && config.on_refused) config.on_refused(refused);
  }

  template <class M>
    requires(std::is_constructible_v<ToTaskManager, M>)
  void handle(M& message) {
    task_manager->receive(ToTaskManager(std::move(message)));
  }

  void lost(const std::string& reason) {
    const std::lock_guard lock(mutex);
    if (!registered) return;
    registered = false;
    lost_at = std::chrono::steady_clock::now();
    log_warn("the job manager is gone", {{"reason", reason}});
  }

  /// Reports metrics, and ends the jobs when nobody has taken us in for too long.
  void loop() {
    std::unique_lock lock(mutex);
    while (!wake.wait_for(lock, std::chrono::milliseconds(config.report_every_ms), [this] { return stopping; })) {
      const bool orphaned =
          lost_at && std::chrono::steady_clock::now() - *lost_at > std::chrono::milliseconds(config.orphaned_ms);
      const bool report = registered;
      if (orphaned) lost_at.reset();
      lock.unlock();
      if (orphaned) {
        log_warn("no job manager for too long: the jobs end here", {});
        task_manager->cancel_all();
      }
      if (report) report_metrics();
      lock.lock();
    }
  }

  void report_metrics() {
    if (config.metrics == nullptr) return;
    MetricsReport report;
    for (MetricSample& sample : config.metrics->collect()) {
      if (!label_of(sample.labels, "job_id").empty()) report.samples.push_back(std::move(sample));
    }
    // Nothing runs here, and that is known already.
    if (report.samples.empty() && std::exchange(reported_nothing, true)) return;
    reported_nothing = report.samples.empty();
    send(FromTaskManager(std::move(report)));
  }

  SessionConfig config;
  TaskManager* task_manager = nullptr;
  std::mutex mutex;
  std::condition_variable wake;
  bool stopping = false;
  bool registered = false;
  bool complained = false;  // the client's thread, but for the reset at registration on the same thread
  std::optional<SteadyTime> lost_at;
  bool reported_nothing = true;  // the reporting thread
  std::thread thread;
  std::unique_ptr<FrameClient> client;
};

TaskManagerSession::TaskManagerSession(SessionConfig config) : impl_(std::make_unique<Impl>(std::move(config))) {}

TaskManagerSession::~TaskManagerSession() { stop(); }

void TaskManagerSession::stop() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
  }
  impl_->wake.notify_one();
  if (impl_->thread.joinable()) impl_->thread.join();
  if (impl_->client) impl_->client->stop();
}

void TaskManagerSession::start(TaskManager& task_manager) { impl_->start(task_manager); }

bool TaskManagerSession::registered() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->registered;
}

void TaskManagerSession::send(ToJobManager message) {
  std::visit([this](auto& m) { impl_->send(FromTaskManager(std::move(m))); }, message);
}

}  // namespace millrace
