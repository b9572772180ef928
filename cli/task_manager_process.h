// The parts of a task manager put together: data port, workers, the session with the job manager, metrics and health.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "cli/server_settings.h"
#include "core/metrics.h"
#include "http/server.h"
#include "runtime/spi/factories.h"
#include "taskmanager/network/data_network.h"
#include "taskmanager/session.h"
#include "taskmanager/task_manager.h"

namespace millrace {

class TaskManagerProcess {
 public:
  struct Options {
    bool own_port = true;  // metrics and health; off where the job manager of the same process serves them
    bool report = true;    // metrics to the job manager
    std::function<void(const RegistrationRefused&)> on_refused;
  };
  /// `metrics` outlives it.
  static Result<std::unique_ptr<TaskManagerProcess>> start(const TaskManagerSettings& settings,
                                                           const Registry& registry, MetricRegistry& metrics,
                                                           Options options);
  ~TaskManagerProcess();

  [[nodiscard]] std::string data_address() const { return network_->address(); }
  [[nodiscard]] std::string rest_address() const { return rest_ ? rest_->address() : ""; }

 private:
  std::unique_ptr<DataNetwork> network_;
  std::unique_ptr<TaskManagerSession> session_;
  std::unique_ptr<TaskManager> task_manager_;
  std::unique_ptr<HttpServer> rest_;
};

}  // namespace millrace
