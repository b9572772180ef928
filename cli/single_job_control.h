// The JobControl of `millrace run`: one job in this process, without a job manager around it. What needs one
// (submitting, savepoints, another parallelism) is refused. Any thread.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/metrics.h"
#include "jobmanager/job_control.h"
#include "jobmanager/job_thread.h"

namespace millrace {

class SingleJobControl final : public JobControl {
 public:
  /// All outlive this.
  SingleJobControl(JobThread& job, const MetricRegistry& metrics, std::shared_ptr<const JobGraph> graph,
                   std::string spec)
      : job_(job), metrics_(metrics), graph_(std::move(graph)), spec_(std::move(spec)) {}

  Result<SubmitAnswer> submit(PlannedJob job, SubmitOptions options) override;
  [[nodiscard]] std::vector<JobView> jobs() const override { return {job_.view()}; }
  [[nodiscard]] std::optional<JobView> job(const std::string& id_or_name) const override;
  [[nodiscard]] std::shared_ptr<const JobGraph> graph(const std::string&) const override { return graph_; }
  [[nodiscard]] std::string spec(const std::string&) const override { return spec_; }
  Status cancel(const std::string& job_id, bool now) override;
  Result<std::string> stop(const std::string& job_id, const StopRequest& request) override;
  Result<std::string> savepoint(const std::string& job_id, const SavepointRequest& request) override;
  Result<std::string> checkpoint(const std::string& job_id) override;
  Result<CheckpointChanges> change_checkpoint_settings(const std::string& job_id,
                                                       const CheckpointChanges& changes) override;
  Result<std::string> rescale(const std::string& job_id, uint32_t parallelism) override;
  Result<std::string> upgrade(const std::string& job_id, PlannedJob job, bool allow_dropped_state) override;
  [[nodiscard]] std::optional<OperationView> operation(const std::string& job_id,
                                                       const std::string& trigger_id) const override;
  [[nodiscard]] std::vector<TaskManagerView> task_managers() const override { return {}; }
  [[nodiscard]] std::vector<MetricSample> samples(const std::string&) const override { return metrics_.collect(); }
  [[nodiscard]] std::vector<MetricSample> own_samples() const override { return metrics_.collect(); }

 private:
  struct Asked {
    OperationKind kind;
    int64_t completed_before;  // checkpoints at the time
  };
  Status running() const;
  std::string remember(OperationKind kind);

  JobThread& job_;
  const MetricRegistry& metrics_;
  std::shared_ptr<const JobGraph> graph_;
  std::string spec_;
  mutable std::mutex mutex_;
  std::map<std::string, Asked> asked_;  // by trigger id
};

}  // namespace millrace
