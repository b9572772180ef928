// The parts of a job manager put together: dispatcher, the port of the task managers, REST.
#pragma once

#include <memory>
#include <string>

#include "cli/server_settings.h"
#include "core/metrics.h"
#include "http/server.h"
#include "jobmanager/dispatcher.h"
#include "jobmanager/task_manager_server.h"
#include "runtime/spi/factories.h"

namespace millrace {

class JobManagerProcess {
 public:
  /// `metrics` outlives it.
  static Result<std::unique_ptr<JobManagerProcess>> start(const ServerSettings& settings, const Registry& registry,
                                                          MetricRegistry& metrics);

  [[nodiscard]] std::string rest_address() const { return rest_->address(); }
  [[nodiscard]] uint16_t rpc_port() const { return server_->port(); }

 private:
  // REST ends first, then the connections, then the jobs' threads.
  std::unique_ptr<Dispatcher> dispatcher_;
  std::unique_ptr<TaskManagerServer> server_;
  std::unique_ptr<HttpServer> rest_;
};

}  // namespace millrace
