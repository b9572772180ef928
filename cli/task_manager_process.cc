#include "cli/task_manager_process.h"

#include <unistd.h>

#include <atomic>

#include "cli/task_manager_page.h"
#include "core/environment.h"
#include "core/ids.h"
#include "core/random.h"
#include "core/storage.h"
#include "jobmanager/rest/access.h"

namespace millrace {

namespace {

/// The host under which other processes reach this one.
std::string advertised_host(const TaskManagerSettings& settings) {
  if (!settings.advertise.empty()) return settings.advertise;
  if (settings.bind != "0.0.0.0" && settings.bind != "::") return settings.bind;
  char name[256] = {};
  return gethostname(name, sizeof name - 1) == 0 ? name : settings.bind;
}

std::string with_port(const std::string& host, uint16_t port) {
  return (host.find(':') == std::string::npos ? host : "[" + host + "]") + ":" + std::to_string(port);
}

}  // namespace

TaskManagerProcess::~TaskManagerProcess() {
  rest_.reset();
  if (session_) session_->stop();
  task_manager_.reset();
}

Result<std::unique_ptr<TaskManagerProcess>> TaskManagerProcess::start(const TaskManagerSettings& settings,
                                                                      const Registry& registry, MetricRegistry& metrics,
                                                                      Options options) {
  auto process = std::make_unique<TaskManagerProcess>();
  MR_ASSIGN(const auto job_manager, parse_address(settings.jobmanager));
  const std::string host = advertised_host(settings);
  SessionConfig session;
  session.self.id = JobId::generate(system_random()).to_string();
  DataNetworkOptions network;
  network.id = session.self.id;
  network.bind = settings.bind;
  network.port = settings.data_port;
  network.advertised_host = host;
  network.metrics = &metrics;
  if (settings.data_compression == "never") network.compression.bytes_min = SIZE_MAX;
  network.compression.loopback = settings.data_compression == "always";
  MR_ASSIGN(process->network_, DataNetwork::start(std::move(network)));

  session.host = job_manager.first;
  session.port = job_manager.second;
  session.self.version = MILLRACE_VERSION;
  if (!settings.token_file.empty()) {
    MR_ASSIGN(const auto tokens, read_token_file(local_file_system(), settings.token_file));
    session.self.token = tokens.front();
  }
  session.self.slots = settings.slots;
  session.self.memory_bytes = settings.memory_bytes;
  session.self.data_address = process->network_->address();
  session.fs = &storage();
  session.metrics = options.report ? &metrics : nullptr;
  session.on_refused = std::move(options.on_refused);

  // The port is known before the session tells of it; the session answers /readyz once it is there.
  auto known = std::make_shared<std::atomic<const TaskManagerSession*>>(nullptr);
  if (options.own_port) {
    HttpServerOptions server;
    server.address = settings.bind;
    server.port = settings.rest_port;
    auto page = std::make_shared<TaskManagerPage>(TaskManagerPage{&metrics, session.self.id});
    MR_ASSIGN(process->rest_, HttpServer::start(server, [page, known](const HttpRequest& request) {
                const TaskManagerSession* there = known->load();
                return page->answer(request, there != nullptr && there->registered());
              }));
    session.self.rest_address = with_port(host, process->rest_->port());
  }
  process->session_ = std::make_unique<TaskManagerSession>(std::move(session));
  known->store(process->session_.get());
  TaskManagerConfig config;
  config.registry = &registry;
  config.clock = &system_clock();
  config.fs = &storage();
  config.metrics = &metrics;
  config.network = process->network_.get();
  config.environment = environment_variable;
  config.state = std::make_shared<StateResources>(join_path(settings.data_dir, "state"), settings.memory_bytes);
  process->task_manager_ = std::make_unique<TaskManager>(std::move(config), *process->session_);
  process->session_->start(*process->task_manager_);
  return process;
}

}  // namespace millrace
