// Messages between the job manager and task managers: plain structs with one codec (CBOR, rpc/codec.h). The in-process
// transport encodes and decodes them in tests and debug builds, so the two ways of running cannot drift apart.
// Every message of a task carries the attempt (= generation) of its job; stale ones are dropped and counted.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "core/metrics.h"
#include "state/protocol/task_snapshot.h"

namespace millrace {

// Job manager to task manager.
/// A task manager that takes part in an attempt.
struct JobMember {
  std::string task_manager;  // its id
  std::string data_address;  // "host:port" where other members connect; "" when it is the only one
  friend bool operator==(const JobMember&, const JobMember&) = default;
};
struct DeployJob {
  std::string job_id;
  int64_t attempt = 0;
  std::string spec_yaml;  // the file after ${…} and --set, planned again by the receiver
  std::string job_directory;
  int64_t restore_checkpoint = 0;  // 0: fresh
  std::vector<SnapshotHandle> restore;
  uint32_t restore_max_parallelism = 0;
  bool restore_verified = false;  // every file of `restore` is compared with its checksum before it is used
  bool until_done = false;
  bool allow_dropped_state = false;   // restore though the job lacks a step that has state
  uint64_t incarnation = 0;           // random per attempt: in the commit markers of sinks
  bool republish = false;             // sinks go on from a state older than their markers
  bool accept_lost_progress = false;  // sinks go on though their markers are gone
  // Slot i runs subtask i of every chain, on members[slots[i]]. Both empty: everything runs on the receiver.
  std::vector<JobMember> members;
  std::vector<uint32_t> slots;
  uint32_t member = 0;  // the receiver
};
struct TriggerCheckpoint {
  std::string job_id;
  int64_t attempt = 0;
  int64_t checkpoint_id = 0;
  bool final = false;  // the job stops behind this barrier
};
/// The barriers of a checkpoint that was triggered before are to overtake rows.
struct OvertakeCheckpoint {
  std::string job_id;
  int64_t attempt = 0;
  int64_t checkpoint_id = 0;
};
struct CheckpointCompleted {
  std::string job_id;
  int64_t attempt = 0;
  int64_t checkpoint_id = 0;
};
struct CheckpointAborted {
  std::string job_id;
  int64_t attempt = 0;
  int64_t checkpoint_id = 0;
};
/// Sources act as if their input had ended: the job drains and finishes.
struct EndInput {
  std::string job_id;
  int64_t attempt = 0;
};
/// Sources read nothing more, or go on; everything else runs.
struct HoldSources {
  std::string job_id;
  int64_t attempt = 0;
  bool hold = false;
};
/// Shows rows that leave a step: TapRows follow, up to `rows` from each subtask.
struct TapStep {
  std::string job_id;
  int64_t attempt = 0;
  std::string tap_id;
  std::string step;
  uint32_t rows = 0;
  int64_t for_ms = 0;
};
struct CancelJob {
  std::string job_id;
  int64_t attempt = 0;
};

// Task manager to job manager.
struct TaskRunning {
  std::string job_id;
  int64_t attempt = 0;
  TaskId task;
};
struct SnapshotTaken {
  std::string job_id;
  int64_t attempt = 0;
  int64_t checkpoint_id = 0;
  SnapshotHandle handle;
  bool finished = false;  // the task reached the end of its input and this is its last state
};
struct SnapshotFailed {
  std::string job_id;
  int64_t attempt = 0;
  int64_t checkpoint_id = 0;
  TaskId task;
  std::string error_code;
  std::string message;
};
/// The task has handled all its input; it stays until the job ends so that it takes part in checkpoints.
struct TaskFinished {
  std::string job_id;
  int64_t attempt = 0;
  TaskId task;
};
struct TaskFailed {
  std::string job_id;
  int64_t attempt = 0;
  TaskId task;
  std::string step;
  std::string error_code;
  std::string message;
  std::string help;
};
/// A sink's subtask has published everything that the restored state held for its lanes.
struct RestoredSettled {
  std::string job_id;
  int64_t attempt = 0;
  TaskId task;
  std::string sink;
};
/// A sink's subtask has published everything up to the epoch (= checkpoint id).
struct EpochSettled {
  std::string job_id;
  int64_t attempt = 0;
  TaskId task;
  std::string sink;
  int64_t epoch = 0;
};
/// Rows as texts, in the order in which they left one subtask.
struct TapRows {
  std::string job_id;
  int64_t attempt = 0;
  std::string tap_id;
  std::vector<std::string> rows;
};
/// All tasks of the job on this task manager have ended after CancelJob.
struct JobCancelled {
  std::string job_id;
  int64_t attempt = 0;
};

using ToTaskManager = std::variant<DeployJob, TriggerCheckpoint, OvertakeCheckpoint, CheckpointCompleted,
                                   CheckpointAborted, EndInput, HoldSources, TapStep, CancelJob>;
using ToJobManager = std::variant<TaskRunning, SnapshotTaken, SnapshotFailed, TaskFinished, TaskFailed, RestoredSettled,
                                  EpochSettled, TapRows, JobCancelled>;

// Between the processes themselves: RegisterTaskManager -> ReadNonce -> StorageNonce -> Registered, or
// RegistrationRefused at either step. A connection begins with it, and is of no use before.
struct RegisterTaskManager {
  std::string id;  // random per process: a process that starts again is another task manager
  std::string version;
  uint32_t slots = 0;
  std::string data_address;
  std::string rest_address;
  uint64_t memory_bytes = 0;
  std::string token;  // what the job manager asks of those who connect; "" where it asks for none
};
/// The file proves that both see the same checkpoint storage.
struct ReadNonce {
  std::string path;
};
struct StorageNonce {
  std::string content;  // "" when the file is not there
  std::string error;
};
/// From now on jobs may be deployed. All that the task manager ran before is to be ended.
struct Registered {
  std::string job_manager;  // random per process
};
struct RegistrationRefused {
  std::string error_code;
  std::string message;
  std::string help;
  bool final = false;  // trying again is of no use
};
/// All series of the jobs on the task manager; once a second while there are any, and once empty after that.
struct MetricsReport {
  std::vector<MetricSample> samples;
};

template <class... A, class... B>
std::variant<A..., B...> joined_variants(const std::variant<A...>&, const std::variant<B...>&);

/// What travels over one connection in either direction.
using FromTaskManager =
    decltype(joined_variants(std::variant<RegisterTaskManager, StorageNonce, MetricsReport>{}, ToJobManager{}));
using FromJobManager =
    decltype(joined_variants(std::variant<ReadNonce, Registered, RegistrationRefused>{}, ToTaskManager{}));

}  // namespace millrace
