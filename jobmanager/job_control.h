// What REST, the command line and the pages may ask of a job manager; jobmanager/dispatcher.h answers. Any thread.
// Nothing here waits for tasks: what takes time answers with a trigger id, and operation() tells how far it is.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/metrics.h"
#include "core/status.h"
#include "jobmanager/job_view.h"
#include "jobmanager/submit_options.h"
#include "plan/planner.h"

namespace millrace {

struct SubmitAnswer {
  std::string job_id;    // 32 hex digits
  bool existed = false;  // the same file was running already
};

struct SavepointRequest {
  std::string directory;   // "": `savepoints/` in the job's directory
  std::string trigger_id;  // 32 hex digits wished by the client; "": a random one.
                           // The same id again: the same operation
};
struct StopRequest {
  std::string directory;
  std::string trigger_id;
  bool drain = false;     // a watermark at the end of time first: all windows fire, and the job cannot go on from here
  bool savepoint = true;  // false: stop behind a final checkpoint only
};

struct TaskManagerView {
  std::string id;            // random per process
  std::string address;       // "host:port" of its control connection
  std::string data_address;  // where other task managers connect
  std::string rest_address;  // metrics and health; "" without
  std::string version;
  uint32_t slots = 0;
  uint32_t slots_free = 0;
  int64_t registered_ms = 0;
  int64_t last_heartbeat_ms = 0;
  uint64_t memory_bytes = 0;  // its budget
  std::vector<std::string> jobs;
};

class JobControl {
 public:
  virtual ~JobControl() = default;

  /// Durable when it returns, also when slots are short. The same name with the same file: the job that runs. Errors:
  /// kRefusedByState for the same name with another file, and what the job's directory forbids.
  virtual Result<SubmitAnswer> submit(PlannedJob job, SubmitOptions options) = 0;

  /// Jobs that run, and the last ones that ended; newest first.
  [[nodiscard]] virtual std::vector<JobView> jobs() const = 0;
  /// By id, or by name (of several the one that runs, else the newest).
  [[nodiscard]] virtual std::optional<JobView> job(const std::string& id_or_name) const = 0;
  /// What the job runs now; null when the job is not known.
  [[nodiscard]] virtual std::shared_ptr<const JobGraph> graph(const std::string& job_id) const = 0;
  /// The job file, resolved, secrets as references.
  [[nodiscard]] virtual std::string spec(const std::string& job_id) const = 0;

  // Errors of all of these: kNotFound for an unknown job, kRefusedByState for one that has ended.
  /// `now`: without publishing the output of completed checkpoints first.
  virtual Status cancel(const std::string& job_id, bool now) = 0;
  virtual Result<std::string> stop(const std::string& job_id, const StopRequest& request) = 0;
  virtual Result<std::string> savepoint(const std::string& job_id, const SavepointRequest& request) = 0;
  virtual Result<std::string> checkpoint(const std::string& job_id) = 0;
  virtual Result<std::string> rescale(const std::string& job_id, uint32_t parallelism) = 0;
  /// A checkpoint, then the new file from it; the old file again when the new one fails before its first checkpoint.
  virtual Result<std::string> upgrade(const std::string& job_id, PlannedJob job, bool allow_dropped_state) = 0;
  /// Fields of settings.checkpoint, from now on; durable when it returns. kBadValue as for a job file.
  /// Answers all that can change, as they are then.
  virtual Result<CheckpointChanges> change_checkpoint_settings(const std::string& job_id,
                                                               const CheckpointChanges& changes) {
    (void)job_id, (void)changes;
    return make_error(ErrorCode::kNotSupportedYet, "the settings of this job cannot change");
  }
  [[nodiscard]] virtual std::optional<OperationView> operation(const std::string& job_id,
                                                               const std::string& trigger_id) const = 0;

  /// Begins to gather rows that leave the step, at most `rows` of each of its subtasks; answers the tap's id. kNotFound
  /// for a step that is not there or emits nothing.
  virtual Result<std::string> tap(const std::string& job_id, const std::string& step, uint32_t rows) {
    (void)job_id, (void)step, (void)rows;
    return make_error(ErrorCode::kNotSupportedYet, "rows of steps are shown by a job manager",
                      "`millrace cluster`, or `millrace jobmanager` with task managers");
  }
  /// What has come so far, as JSON texts. kNotFound: no such tap; only the last ones are kept.
  [[nodiscard]] virtual Result<std::vector<std::string>> tapped(const std::string& tap_id) const {
    return make_error(ErrorCode::kNotFound, "no tap `" + tap_id + "`");
  }

  [[nodiscard]] virtual std::vector<TaskManagerView> task_managers() const = 0;
  /// Series of the job from all its task managers, as last reported (every second), and the job's own.
  [[nodiscard]] virtual std::vector<MetricSample> samples(const std::string& job_id) const = 0;
  /// All series of the job manager itself, with those of all jobs that belong to it.
  [[nodiscard]] virtual std::vector<MetricSample> own_samples() const = 0;
};

}  // namespace millrace
