// A task manager's side of the connection to its job manager: registers, hands messages on, sends reports and metrics,
// and connects again after a loss. While the job manager is away the jobs go on with data for 30 s; then, or when a job
// manager takes the task manager in again, they are ended: a job that should run is deployed anew.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "core/file_system.h"
#include "core/metrics.h"
#include "rpc/messages.h"
#include "rpc/transport.h"

namespace millrace {

class TaskManager;

struct SessionConfig {
  std::string host;  // of the job manager
  uint16_t port = 6123;
  RegisterTaskManager self;  // who we are
  FileSystem* fs = nullptr;
  MetricRegistry* metrics = nullptr;
  int64_t silence_ms = 5'000;
  int64_t orphaned_ms = 30'000;  // how long jobs go on without a job manager
  int64_t report_every_ms = 1'000;
  /// Refused for good (another version): the process should end. On a thread of the session.
  std::function<void(const RegistrationRefused&)> on_refused;
};

class TaskManagerSession final : public JobManagerLink {
 public:
  explicit TaskManagerSession(SessionConfig config);
  /// After the task manager, which reports through the session to its end.
  ~TaskManagerSession() override;
  TaskManagerSession(const TaskManagerSession&) = delete;
  TaskManagerSession& operator=(const TaskManagerSession&) = delete;

  /// Connects; `task_manager` reports through this session.
  void start(TaskManager& task_manager);
  /// Leaves the job manager: nothing reaches the task manager any more when it returns.
  void stop();
  [[nodiscard]] bool registered() const;

  /// Dropped while there is no connection: the job manager has given the attempt up then.
  void send(ToJobManager message) override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace
