// All jobs of a job manager: takes submissions, keeps each job's thread, brings the jobs back when the job manager
// starts again, and remembers those that ended. One job's trouble never holds another: every job has its own thread,
// and nothing here waits for one except the thread that clears away what has ended.
#pragma once

#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "core/clock.h"
#include "jobmanager/catalogue.h"
#include "jobmanager/job_control.h"
#include "jobmanager/job_thread.h"
#include "jobmanager/task_managers.h"
#include "state/directory_lock.h"

namespace millrace {

struct DispatcherConfig {
  const PlanRegistry* registry = nullptr;
  std::string data_dir;
  std::string checkpoint_root;  // of jobs that name no directory of their own
  Clock* clock = nullptr;
  FileSystem* fs = nullptr;
  Random* random = nullptr;
  MetricRegistry* metrics = nullptr;
  size_t ended_max = 100;  // ended jobs that are still shown
  std::function<std::optional<std::string>(const std::string&)> environment;
};

class Dispatcher final : public JobControl {
 public:
  /// Locks the data directory and brings back the jobs that should run. kDirectoryLocked: another job manager has it.
  static Result<std::unique_ptr<Dispatcher>> open(DispatcherConfig config);
  /// The jobs' threads end; the jobs themselves are left as after a crash.
  ~Dispatcher() override;

  [[nodiscard]] TaskManagers& registered() { return task_managers_; }
  // Any thread.
  void received(const std::string& task_manager, ToJobManager message);
  void task_manager_lost(const std::string& task_manager, const std::string& reason);

  // JobControl.
  Result<SubmitAnswer> submit(PlannedJob job, SubmitOptions options) override;
  [[nodiscard]] std::vector<JobView> jobs() const override;
  [[nodiscard]] std::optional<JobView> job(const std::string& id_or_name) const override;
  [[nodiscard]] std::shared_ptr<const JobGraph> graph(const std::string& job_id) const override;
  [[nodiscard]] std::string spec(const std::string& job_id) const override;
  Status cancel(const std::string& job_id, bool now) override;
  Result<std::string> stop(const std::string& job_id, const StopRequest& request) override;
  Result<std::string> savepoint(const std::string& job_id, const SavepointRequest& request) override;
  Result<std::string> checkpoint(const std::string& job_id) override;
  Result<std::string> rescale(const std::string& job_id, uint32_t parallelism) override;
  Result<CheckpointChanges> change_checkpoint_settings(const std::string& job_id,
                                                       const CheckpointChanges& changes) override;
  Result<std::string> upgrade(const std::string& job_id, PlannedJob job, bool allow_dropped_state) override;
  [[nodiscard]] std::optional<OperationView> operation(const std::string& job_id,
                                                       const std::string& trigger_id) const override;
  Result<std::string> tap(const std::string& job_id, const std::string& step, uint32_t rows) override;
  [[nodiscard]] Result<std::vector<std::string>> tapped(const std::string& tap_id) const override;
  [[nodiscard]] std::vector<TaskManagerView> task_managers() const override { return task_managers_.views(); }
  [[nodiscard]] std::vector<MetricSample> samples(const std::string& job_id) const override;
  [[nodiscard]] std::vector<MetricSample> own_samples() const override;

 private:
  /// A job that runs, or should.
  struct Running {
    CatalogueEntry entry;
    std::shared_ptr<JobThread> thread;
    std::deque<std::pair<std::string, OperationKind>> asked;  // the last ones; its thread may not have seen them yet
  };
  struct Ended {
    JobView view;
    std::shared_ptr<const JobGraph> graph;
    std::string spec;
  };

  explicit Dispatcher(DispatcherConfig config);
  Status recover();
  void recover_job(CatalogueEntry entry);
  Status start_job(PlannedJob planned, CatalogueEntry entry);
  void remember_broken(const CatalogueEntry& entry, const Error& error);
  void remember(Ended ended);
  void clear_loop();
  void clear(const std::string& job_id);
  void slots_changed();
  static JobView view_of(const Running& job);
  [[nodiscard]] std::shared_ptr<JobThread> thread_of(const std::string& job_id) const;
  /// The thread of a job that runs; else why there is none.
  Result<std::shared_ptr<JobThread>> running(const std::string& job_id) const;
  /// A fresh trigger id, or the wished one; `existed` when that is known already.
  std::string trigger(const std::string& job_id, const std::string& wished, OperationKind kind, bool& existed);
  std::string savepoint_target(const JobView& view, const std::string& directory) const;
  Result<std::string> replace(const std::string& job_id, PlannedJob job, OperationKind kind, bool allow_dropped_state);
  void new_spec(const std::string& job_id, const std::string& spec);

  DispatcherConfig config_;
  std::unique_ptr<DirectoryLock> lock_;
  std::optional<Catalogue> catalogue_;
  TaskManagers task_managers_;
  std::mutex submit_mutex_;  // one submission at a time: names are unique
  mutable std::mutex mutex_;
  std::map<std::string, Running> running_;
  std::deque<Ended> ended_;  // newest first
  struct Tapped {
    std::string id;
    std::vector<std::string> rows;
  };
  std::deque<Tapped> taps_;  // the last few, newest first
  std::condition_variable clear_wake_;
  std::deque<std::string> to_clear_;
  bool stopping_ = false;
  std::thread clear_thread_;
};

}  // namespace millrace
