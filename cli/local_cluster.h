// A whole cluster in one process: one job manager thread for one job, one task manager, messages in between. What
// `millrace run` runs, and end-to-end tests too.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "jobmanager/job_thread.h"
#include "plan/planner.h"
#include "rpc/transport.h"
#include "taskmanager/task_manager.h"

namespace millrace {

class LocalCluster {
 public:
  /// `task_manager.metrics` also takes the job's own series.
  LocalCluster(PlannedJob planned, std::string checkpoint_root, SubmitOptions options, TaskManagerConfig task_manager) {
    JobMasterConfig job;
    job.graph = std::make_shared<const JobGraph>(std::move(planned.graph));
    job.spec_yaml = std::move(planned.resolved_yaml);
    job.checkpoint_root = std::move(checkpoint_root);
    job.options = std::move(options);
    job.clock = task_manager.clock;
    job.fs = task_manager.fs;
    job.random = &system_random();
    job.metrics = task_manager.metrics;
    job.slots = &slots_;
    job.plan = [registry = task_manager.registry, environment = task_manager.environment](const std::string& spec) {
      return plan_again(spec, registry->plan, environment);
    };
    job_ = std::make_unique<JobThread>(std::move(job));
    task_manager_ = std::make_unique<TaskManager>(std::move(task_manager), transport_.to_job_manager());
    transport_.bind_task_manager([this](ToTaskManager message) { task_manager_->receive(std::move(message)); });
    transport_.bind_job_manager([this](ToJobManager message) { job_->post(std::move(message)); });
  }
  /// As a crash would: no checkpoint, the state stays resumable unless the job had ended.
  ~LocalCluster() {
    job_->stop();
    task_manager_.reset();
  }
  LocalCluster(const LocalCluster&) = delete;
  LocalCluster& operator=(const LocalCluster&) = delete;

  JobThread& job() { return *job_; }

 private:
  InProcessTransport transport_;
  LocalSlots slots_{transport_.to_task_manager()};
  std::unique_ptr<JobThread> job_;
  std::unique_ptr<TaskManager> task_manager_;
};

}  // namespace millrace
