// Runs the tasks of jobs in this process: deploys what the job manager sends, passes barriers and completions to the
// workers, writes snapshots, and reports. Messages are queued by receive() and handled in order by a thread of its own,
// so that a long deployment or a slow cancellation never holds the sender. Reports leave from whatever thread they
// arise on.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/clock.h"
#include "core/file_system.h"
#include "core/metrics.h"
#include "rpc/transport.h"
#include "runtime/deployment.h"

namespace millrace {

class DataNetwork;

struct TaskManagerConfig {
  const Registry* registry = nullptr;
  Clock* clock = nullptr;
  FileSystem* fs = nullptr;
  MetricRegistry* metrics = nullptr;      // may be null
  DataNetwork* network = nullptr;         // null: only jobs that run here alone
  std::shared_ptr<StateResources> state;  // null: keyed state stays in memory
  /// Values of ${…} that the deployed file still holds (secrets).
  std::function<std::optional<std::string>(const std::string&)> environment;
  std::function<SinkWriterPtr(const Node&, SinkWriterPtr)> wrap_sink;  // may be empty
};

class TaskManager {
 public:
  TaskManager(TaskManagerConfig config, JobManagerLink& job_manager);
  /// Ends all jobs at once, without a checkpoint.
  ~TaskManager();
  TaskManager(const TaskManager&) = delete;
  TaskManager& operator=(const TaskManager&) = delete;

  /// Any thread.
  void receive(ToTaskManager message);
  /// Ends all jobs behind what is being handled; what was received before is dropped. Does not wait.
  void cancel_all();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace
