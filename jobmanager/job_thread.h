// The thread of one job: an event queue in front of a JobMaster. Events are handled in order, one at a time; between
// them the thread sleeps until the master's next deadline. One job's trouble never holds another.
#pragma once

#include <functional>
#include <memory>

#include "jobmanager/job_master.h"

namespace millrace {

class JobThread {
 public:
  explicit JobThread(JobMasterConfig config);
  ~JobThread();
  JobThread(const JobThread&) = delete;
  JobThread& operator=(const JobThread&) = delete;

  /// Opens the job's directory and deploys, on the caller's thread; then the job's own thread goes on.
  Status start();

  /// Ends the thread; later events are dropped, a job that still runs is left as after a crash.
  void stop();

  // Any thread.
  void post(ToJobManager message);
  void request_stop();
  void request_cancel(bool resumable);
  void request_checkpoint();
  [[nodiscard]] JobView view() const;
  /// Waits until the job has ended. False: `timeout_ms` passed before (-1: no limit).
  bool wait(int64_t timeout_ms = -1) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace
