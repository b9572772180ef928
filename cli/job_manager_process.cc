#include "cli/job_manager_process.h"

#include "cli/state_reader.h"
#include "core/environment.h"
#include "core/storage.h"
#include "jobmanager/rest/rest_api.h"

namespace millrace {

Result<std::unique_ptr<JobManagerProcess>> JobManagerProcess::start(const ServerSettings& settings,
                                                                    const Registry& registry, MetricRegistry& metrics) {
  const JobManagerSettings& own = settings.jobmanager;
  auto process = std::make_unique<JobManagerProcess>();
  DispatcherConfig jobs;
  jobs.registry = &registry.plan;
  jobs.data_dir = own.data_dir;
  jobs.checkpoint_root = own.checkpoint_dir;
  jobs.clock = &system_clock();
  jobs.fs = &storage();
  jobs.random = &system_random();
  jobs.metrics = &metrics;
  jobs.ended_max = static_cast<size_t>(own.jobs_kept);
  jobs.environment = environment_variable;
  MR_ASSIGN(process->dispatcher_, Dispatcher::open(std::move(jobs)));

  TaskManagerServerConfig task_managers;
  task_managers.bind = own.bind;
  task_managers.port = own.rpc_port;
  task_managers.silence_ms = own.heartbeat_timeout_ms;
  task_managers.version = MILLRACE_VERSION;
  task_managers.checkpoint_root = own.checkpoint_dir;
  task_managers.fs = &storage();
  task_managers.clock = &system_clock();
  task_managers.random = &system_random();
  std::vector<std::string> tokens;
  if (!own.rest_token_file.empty()) {
    MR_ASSIGN(tokens, read_token_file(local_file_system(), own.rest_token_file));
  }
  task_managers.tokens = tokens;
  MR_ASSIGN(process->server_, TaskManagerServer::start(std::move(task_managers), *process->dispatcher_));

  RestConfig rest;
  rest.control = process->dispatcher_.get();
  rest.registry = &registry.plan;
  rest.clock = &system_clock();
  rest.environment = environment_variable;
  rest.version = MILLRACE_VERSION;
  rest.read_state = [&registry](const StateQuery& query) { return read_state(query, registry.plan.functions); };
  rest.settings = settings.values;
  rest.access.any_host = own.insecure;
  rest.access.hosts = own.rest_hosts;
  rest.access.tokens = std::move(tokens);
  HttpServerOptions server;
  server.address = own.bind;
  server.port = own.rest_port;
  MR_ASSIGN(process->rest_, HttpServer::start(server, rest_handler(std::move(rest))));
  return process;
}

}  // namespace millrace
