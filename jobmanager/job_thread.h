// The thread of one job: an event queue in front of a JobMaster. Events are handled in order, one at a time; between
// them the thread sleeps until the master's next deadline. One job's trouble never holds another.
#pragma once

#include <functional>
#include <memory>

#include "jobmanager/job_master.h"

namespace millrace {

class JobThread {
 public:
  /// `on_end`: called once on the job's thread when the job has ended by itself; may be empty.
  explicit JobThread(JobMasterConfig config, std::function<void()> on_end = {});
  ~JobThread();
  JobThread(const JobThread&) = delete;
  JobThread& operator=(const JobThread&) = delete;

  /// Opens the job's directory and deploys, on the caller's thread; then the job's own thread goes on.
  Status start();

  /// Ends the thread; later events are dropped, a job that still runs is left as after a crash.
  void stop();

  // Any thread.
  void post(ToJobManager message, std::string task_manager = "local");
  void task_manager_lost(std::string task_manager, std::string reason);
  void slots_changed();
  void request_stop(StopOrder order = {});
  void request_cancel(bool resumable, bool now = true);
  void request_checkpoint(std::string trigger_id = {});
  void request_savepoint(SavepointOrder order);
  void request_replacement(ReplaceOrder order);
  void request_tap(std::string tap_id, std::string step, uint32_t rows, int64_t for_ms);
  /// Waits until the job's thread has recorded them.
  Result<CheckpointChanges> change_checkpoint_settings(CheckpointChanges changes);
  [[nodiscard]] JobView view() const;
  /// What the job runs now.
  [[nodiscard]] std::shared_ptr<const JobGraph> graph() const;
  /// Waits until the job has ended. False: `timeout_ms` passed before (-1: no limit).
  bool wait(int64_t timeout_ms = -1) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace
