#include "cli/run.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>

#include "cli/cluster_client.h"
#include "cli/job_output.h"
#include "cli/local_cluster.h"
#include "cli/row_limit.h"
#include "cli/run_options.h"
#include "cli/server_settings.h"
#include "cli/signals.h"
#include "cli/single_job_control.h"
#include "cli/state_reader.h"
#include "core/environment.h"
#include "core/log.h"
#include "core/storage.h"
#include "http/server.h"
#include "jobmanager/rest/rest_api.h"
#include "plan/option_text.h"
#include "plan/render_diagnostics.h"

namespace millrace {

namespace {

constexpr const char* kDemoJob = R"yaml(version: 1
name: demo
settings:
  checkpoint: {interval: 5s}
sources:
  bids:
    type: datagen
    rows_per_second: 200
    schema:
      auction: BIGINT RANDOM(1, 5)
      price: BIGINT RANDOM(1, 1000)
      at: TIMESTAMP(3) AS CAST(CURRENT_TIMESTAMP AS TIMESTAMP(3))
    event_time: {column: at}
steps:
  - id: per_auction
    key_by: [auction]
    window: {type: tumbling, size: 1s}
    aggregate:
      bids: COUNT(*)
      highest: MAX(price)
      turnover: SUM(price)
sinks:
  screen: {type: print}
)yaml";

int report_error(const Error& error, int exit_code) {
  std::fprintf(stderr, "error[%s]: %s\n", std::string(error.info().code).c_str(), error.message.c_str());
  if (!error.help.empty()) std::fprintf(stderr, "   = help: %s\n", error.help.c_str());
  return exit_code;
}

/// E04xx: what the job's directory or its checkpoints forbid.
int exit_code_of(std::string_view code) { return code.starts_with("E04") ? kExitRefusedByState : kExitFailed; }

std::string checkpoint_root_of(const RunOptions& options, const JobGraph& graph) {
  if (!options.checkpoint_root.empty()) return options.checkpoint_root;
  const std::string& directory = graph.settings.checkpoint.directory;
  return directory.empty() ? join_path(default_data_dir(environment_variable), "checkpoints") : directory;
}

Result<HttpServerOptions> server_options(const RunOptions& options) {
  MR_ASSIGN(auto address, parse_address(options.listen));
  if (!is_loopback(address.first) && !options.insecure) {
    return make_error(ErrorCode::kBadValue, "--listen " + options.listen + " is reachable from other machines",
                      "listen on 127.0.0.1, or add --insecure: there is no authentication");
  }
  HttpServerOptions server;
  server.address = address.first;
  server.port = address.second;
  server.next_free = !options.listen_given;
  return server;
}

int finish(const JobView& view, int signal, bool limit_reached) {
  if (view.state == JobState::kFailed) {
    const JobFailure& failure = *view.failure;
    if (failure.code == error_info(ErrorCode::kCancelled).code) return 128 + SIGPIPE;  // as other tools in a pipe
    std::fprintf(stderr, "error[%s]: %s\n", failure.code.c_str(), failure.message.c_str());
    if (!failure.help.empty()) std::fprintf(stderr, "   = help: %s\n", failure.help.c_str());
    return exit_code_of(failure.code);
  }
  if (limit_reached || signal == 0) return kExitDone;
  return 128 + signal;
}

HttpServer::Handler rest_of(SingleJobControl& control, const Registry& registry, const RunOptions& options) {
  RestConfig rest;
  rest.control = &control;
  rest.registry = &registry.plan;
  rest.clock = &system_clock();
  rest.environment = environment_variable;
  rest.version = MILLRACE_VERSION;
  rest.read_state = [&registry](const StateQuery& query) { return read_state(query, registry.plan.functions); };
  rest.access.any_host = options.insecure;
  rest.ready = [&control] {
    const JobState state = control.jobs().front().state;
    return std::pair(state == JobState::kRunning, std::string(job_state_name(state)));
  };
  return rest_handler(std::move(rest));
}

uint64_t memory_of(const RunOptions& options) {
  if (options.memory_bytes != 0) return options.memory_bytes;
  if (const auto text = environment_variable("MILLRACE_MEMORY")) {
    if (const auto bytes = parse_bytes(*text); bytes && *bytes > 0) return static_cast<uint64_t>(*bytes);
    log_warn("MILLRACE_MEMORY is not a size such as 2GB", {{"value", *text}});
  }
  return static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(sysconf(_SC_PAGE_SIZE)) / 2;
}

int run_planned(const RunOptions& options, PlannedJob planned, const Registry& registry) {
  auto listen = server_options(options);
  if (!listen) return report_error(listen.error(), kExitInvalid);
  block_stop_signals();
  signal(SIGPIPE, SIG_IGN);
  MetricRegistry metrics;
  JobThread* job = nullptr;
  std::atomic<bool> limit_reached{false};
  RowLimit limit(options.limit, [&] {
    limit_reached = true;
    job->request_cancel(true);
  });
  TaskManagerConfig config;
  config.registry = &registry;
  config.clock = &system_clock();
  config.fs = &storage();
  config.metrics = &metrics;
  config.environment = environment_variable;
  config.state =
      std::make_shared<StateResources>(join_path(default_data_dir(environment_variable), "state"), memory_of(options));
  if (options.limit > 0) {
    config.wrap_sink = [&](const Node& node, SinkWriterPtr writer) { return limit.wrap(node, std::move(writer)); };
  }
  const std::string root = checkpoint_root_of(options, planned.graph);
  if (options.start.fresh && !options.allow_dropped_state) {
    const std::string directory = join_path(root, planned.graph.name);
    if (Status fits = check_no_pending_output(directory, options.start.take_over, registry); !fits) {
      return report_error(fits.error(), exit_code_of(fits.error().info().code));
    }
  }
  const auto graph = std::make_shared<const JobGraph>(planned.graph);
  const std::string spec = planned.resolved_yaml;
  LocalCluster cluster(std::move(planned), root, options, std::move(config));
  job = &cluster.job();
  if (Status started = job->start(); !started) {
    return report_error(started.error(), exit_code_of(started.error().info().code));
  }
  StopSignals signals(options.stop_timeout_ms, [job] { job->request_stop(); }, [job] { job->request_cancel(true); });
  SingleJobControl control(*job, metrics, graph, spec);
  auto server = HttpServer::start(*listen, rest_of(control, registry, options));
  if (server) {
    std::fprintf(stderr, "listening rest=http://%s\n", (*server)->address().c_str());
  } else {
    log_warn("no REST server", {{"error", server.error().to_string()}});
  }
  job->wait();
  return finish(job->view(), signals.received(), limit_reached);
}

int run_yaml(const RunOptions& options, const std::string& yaml, const Registry& registry) {
  PlannedJob planned = plan_job(yaml, options.overrides, registry.plan);
  if (!planned.diagnostics.all().empty()) {
    const bool color = isatty(STDERR_FILENO) != 0 && std::getenv("NO_COLOR") == nullptr;
    std::fputs(render_text(planned.diagnostics, {options.file, yaml}, color).c_str(), stderr);
  }
  if (!planned.ok) return kExitInvalid;
  return run_planned(options, std::move(planned), registry);
}

}  // namespace

int command_run(const std::vector<std::string>& args, const Registry& registry) {
  auto options = parse_run_options(args);
  if (!options) return report_error(options.error(), kExitInvalid);
  const Result<std::string> yaml = local_file_system().read_all(options->file);
  if (!yaml) return report_error(yaml.error(), kExitInvalid);
  options->overrides.environment = environment_variable;
  return run_yaml(*options, *yaml, registry);
}

int command_demo(const std::vector<std::string>& args, const Registry& registry) {
  std::vector<std::string> with_file{"demo"};
  with_file.insert(with_file.end(), args.begin(), args.end());
  auto options = parse_run_options(with_file);
  if (!options) return report_error(options.error(), kExitInvalid);
  std::error_code error;
  std::string directory = (std::filesystem::temp_directory_path(error) / "millrace-demo-XXXXXX").string();
  if (error || mkdtemp(directory.data()) == nullptr) {
    return report_error(errno_error("cannot create", directory, errno).error(), kExitFailed);
  }
  options->checkpoint_root = directory;
  options->overrides.environment = environment_variable;
  const int code = run_yaml(*options, kDemoJob, registry);
  std::filesystem::remove_all(directory, error);
  return code;
}

}  // namespace millrace
