// A job's directory <checkpoint.dir>/<name>/: who owns the job (lock, attempt), what it is (job-<attempt>.json), and
// its completed checkpoints (chk-<id>/_metadata beside the files of the tasks). Used by the job manager's thread of the
// job only. Invariants: a checkpoint exists when its _metadata does; ids and attempts never repeat, whatever is lost in
// a crash; an owner that was superseded learns it before it completes a checkpoint and stops (kSuperseded).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/file_system.h"
#include "core/ids.h"
#include "core/random.h"
#include "core/status.h"
#include "state/protocol/start_decision.h"
#include "state/protocol/task_snapshot.h"

namespace millrace {

/// Content of job-<attempt>.json; the one of the greatest attempt counts.
struct JobRecord {
  std::string name;
  JobId job_id;
  int64_t attempt = 0;       // raised at every start, before anything is deployed
  uint64_t incarnation = 0;  // random per attempt; tells two owners of one attempt apart
  JobStatus status = JobStatus::kRunning;
  uint32_t max_parallelism = 0;
  int64_t next_checkpoint_id = 1;   // ids below are used up (reserved in blocks, so some are skipped after a crash)
  int64_t first_checkpoint_id = 1;  // older checkpoints belong to an abandoned line or an earlier job
  std::string restored_from;        // chk directory that this line started from; empty: from nothing
  std::string spec;                 // the job file
  // Fields of settings.checkpoint that were changed on the running job, as texts; they hold as long as its file.
  std::map<std::string, std::string> checkpoint_changes{};
};

/// Content of chk-<id>/_metadata.
struct CheckpointMetadata {
  int64_t checkpoint_id = 0;
  JobId job_id;
  std::string job_name;
  int64_t attempt = 0;
  int64_t completed_ms = 0;
  bool final = false;      // the last one of a run
  bool unaligned = false;  // may hold rows in flight: state/in_flight_state.h
  uint32_t max_parallelism = 0;
  std::vector<SnapshotHandle> handles;  // files relative to the job's directory
  friend bool operator==(const CheckpointMetadata&, const CheckpointMetadata&) = default;
};

/// The newest attempt's record; nothing where no job lives. kCorruptState naming the file.
Result<std::optional<JobRecord>> read_job_record(FileSystem& fs, const std::string& directory);
std::string job_record_path(const std::string& directory, int64_t attempt);

/// Reads <path>/_metadata. kMissingState: not a checkpoint directory; kCorruptState: damaged. Files of the handles are
/// absolute, so that a checkpoint of any directory can be restored.
Result<CheckpointMetadata> read_checkpoint(FileSystem& fs, const std::string& chk_directory);

/// Ids of the completed checkpoints of a job's directory, ascending, whatever line they belong to.
Result<std::vector<int64_t>> completed_checkpoints(FileSystem& fs, const std::string& directory);
std::string checkpoint_path(const std::string& directory, int64_t id);

struct OpenJob {
  std::string root;  // checkpoint.dir
  std::string name;
  std::string spec;
  uint32_t max_parallelism = 0;
  StartRequest start;  // --restore, --fork, --fresh, --take-over
  bool lock = true;    // off where `fs` is not the local disk (simulations)
};

class CheckpointStore {
 public:
  /// Locks the directory, decides which state the start uses, raises the attempt durably. Errors: kDirectoryLocked
  /// naming the holder's pid, kIncompatibleState (another max_parallelism), kMissingState, kCorruptState. A fresh start
  /// costs one fsync, a resumed one two.
  static Result<std::unique_ptr<CheckpointStore>> open(FileSystem& fs, Random& random, const Clock& clock,
                                                       const OpenJob& job);
  /// Gives the lock back; the status stays what it is.
  ~CheckpointStore();
  CheckpointStore(const CheckpointStore&) = delete;
  CheckpointStore& operator=(const CheckpointStore&) = delete;

  [[nodiscard]] const std::string& directory() const;
  [[nodiscard]] const JobRecord& record() const;
  [[nodiscard]] StartDecision start_decision() const;

  /// What an attempt restores: the newest completed checkpoint of this line, else restored_from, else nothing. Damage
  /// is an error naming the file, never a silent step back.
  Result<std::optional<CheckpointMetadata>> newest();
  /// Completed checkpoints of this line, oldest first, as far as their metadata can be read.
  [[nodiscard]] const std::vector<int64_t>& completed_ids() const;

  /// For a restart inside this process; durable when it returns.
  Result<int64_t> raise_attempt();
  /// A fresh id, durable before it is returned, with its directory made.
  Result<int64_t> reserve_checkpoint_id();
  /// Publishes _metadata: a crash at any point leaves it complete or absent. Fills job and time fields. kSuperseded:
  /// another process took the job over; nothing may be written any more.
  Status complete(int64_t checkpoint_id, bool final, std::vector<SnapshotHandle> handles, bool unaligned = false);
  /// Removes an aborted checkpoint's directory or those that were subsumed; one whose completion failed at its very
  /// last step stays, because a successor may have restored it. Failing is harmless: the next start sweeps.
  Status remove(int64_t checkpoint_id);
  Status set_status(JobStatus status);
  /// The job file that the next start of the job reads.
  Status set_spec(std::string spec);
  Status set_checkpoint_changes(std::map<std::string, std::string> changes);
  /// kSuperseded when the newest record carries another attempt or incarnation than ours.
  Status check_ownership();

 private:
  struct Impl;
  explicit CheckpointStore(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace
