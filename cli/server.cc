#include "cli/server.h"

#include <signal.h>

#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <mutex>

#include "cli/job_file.h"
#include "cli/job_manager_process.h"
#include "cli/server_settings.h"
#include "cli/signals.h"
#include "cli/task_manager_process.h"
#include "cli/usage.h"
#include "core/log.h"

namespace millrace {

namespace {

constexpr int64_t kStopTimeoutMs = 30'000;
constexpr int kExitRefused = 4;

/// Waits until a signal or a refusal ends the process; answers its exit code.
class Ending {
 public:
  void end(int code) {
    const std::lock_guard lock(mutex_);
    if (code_ < 0) code_ = code;
    wake_.notify_all();
  }
  int wait() {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [this] { return code_ >= 0; });
    return code_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
  int code_ = -1;
};

/// Runs until SIGINT or SIGTERM. `start` answers what has to live so long.
template <class Start>
int serve(Start&& start) {
  block_stop_signals();
  signal(SIGPIPE, SIG_IGN);
  Ending ending;
  StopSignals signals(kStopTimeoutMs, [&] { ending.end(0); }, [] { _exit(1); });
  auto processes = start(ending);
  if (!processes) return operation_error(processes.error());
  const int code = ending.wait();
  log_info("ends", {});
  return code;
}

std::string rpc_text(const JobManagerSettings& settings, uint16_t port) {
  return settings.bind + ":" + std::to_string(port);
}

std::function<void(const RegistrationRefused&)> end_when_refused(Ending& ending) {
  return [&ending](const RegistrationRefused& refused) {
    std::fprintf(stderr, "error[%s]: refused by the job manager: %s\n", refused.error_code.c_str(),
                 refused.message.c_str());
    if (!refused.help.empty()) std::fprintf(stderr, "   = help: %s\n", refused.help.c_str());
    ending.end(kExitRefused);
  };
}

struct Cluster {
  std::unique_ptr<JobManagerProcess> job_manager;
  std::unique_ptr<TaskManagerProcess> task_manager;  // ends first
};

Result<Cluster> start_cluster(ServerSettings settings, const Registry& registry, MetricRegistry& metrics,
                              Ending& ending) {
  Cluster cluster;
  MR_ASSIGN(cluster.job_manager, JobManagerProcess::start(settings, registry, metrics));
  TaskManagerSettings& own = settings.taskmanager;
  own.jobmanager = rpc_text(settings.jobmanager, cluster.job_manager->rpc_port());
  MR_ASSIGN(cluster.task_manager,
            TaskManagerProcess::start(own, registry, metrics,
                                      {.own_port = false, .report = false, .on_refused = end_when_refused(ending)}));
  std::fprintf(stderr, "listening rest=http://%s rpc=%s data=%s\n", cluster.job_manager->rest_address().c_str(),
               own.jobmanager.c_str(), cluster.task_manager->data_address().c_str());
  return cluster;
}

}  // namespace

int command_jobmanager(const std::vector<std::string>& args, const Registry& registry) {
  const auto settings = server_settings_of(ServerRole::kJobManager, args, kJobManagerUsage);
  if (!settings) return settings.error();
  MetricRegistry metrics;
  return serve([&](Ending&) -> Result<std::unique_ptr<JobManagerProcess>> {
    MR_ASSIGN(auto process, JobManagerProcess::start(*settings, registry, metrics));
    std::fprintf(stderr, "listening rest=http://%s rpc=%s\n", process->rest_address().c_str(),
                 rpc_text(settings->jobmanager, process->rpc_port()).c_str());
    return process;
  });
}

int command_taskmanager(const std::vector<std::string>& args, const Registry& registry) {
  const auto settings = server_settings_of(ServerRole::kTaskManager, args, kTaskManagerUsage);
  if (!settings) return settings.error();
  MetricRegistry metrics;
  return serve([&](Ending& ending) -> Result<std::unique_ptr<TaskManagerProcess>> {
    MR_ASSIGN(auto process,
              TaskManagerProcess::start(settings->taskmanager, registry, metrics,
                                        {.own_port = true, .report = true, .on_refused = end_when_refused(ending)}));
    std::fprintf(stderr, "listening rest=http://%s data=%s\n", process->rest_address().c_str(),
                 process->data_address().c_str());
    return process;
  });
}

int command_cluster(const std::vector<std::string>& args, const Registry& registry) {
  const auto settings = server_settings_of(ServerRole::kCluster, args, kClusterUsage);
  if (!settings) return settings.error();
  MetricRegistry metrics;
  return serve([&](Ending& ending) { return start_cluster(*settings, registry, metrics, ending); });
}

}  // namespace millrace
