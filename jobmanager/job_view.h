// What others may know of a job: a copy that REST handlers and commands read while the job's thread goes on.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "jobmanager/job_state.h"
#include "jobmanager/state_forecast.h"
#include "plan/checkpoint_changes.h"
#include "state/protocol/task_snapshot.h"

namespace millrace {

struct JobFailure {
  std::string step;  // "" when no single step failed
  std::string code;  // "E0503"
  std::string message;
  std::string help;
  int64_t at_ms = 0;
  int64_t restored_checkpoint = 0;  // where the attempt that failed had started from
  int64_t repeated = 1;             // how many times in a row the same failure came from there
};

/// A subtask of the attempt that runs now.
struct TaskView {
  TaskId task;
  std::string task_manager;  // its id; "" before it is deployed
  bool running = false;
  bool finished = false;
};

enum class CheckpointStatus : uint8_t { kInProgress, kCompleted, kFailed };

struct CheckpointView {
  int64_t id = 0;
  CheckpointStatus status = CheckpointStatus::kInProgress;
  bool savepoint = false;
  std::string path;  // of a completed one
  int64_t triggered_ms = 0;
  int64_t ended_ms = 0;
  uint64_t bytes = 0;    // all that a restore needs
  uint64_t written = 0;  // of them, what storage did not hold before
  uint32_t tasks = 0;
  uint32_t acknowledged = 0;
  std::string failure;
  bool unaligned = false;  // its barriers may have overtaken rows
};

enum class OperationKind : uint8_t { kSavepoint, kStop, kCheckpoint, kRescale, kUpgrade };

/// A request that takes time.
struct OperationView {
  std::string trigger_id;  // 32 hex digits
  OperationKind kind = OperationKind::kSavepoint;
  bool done = false;
  std::string path;                     // of the savepoint or checkpoint, when done well
  std::optional<JobFailure> failure{};  // when done badly
};

/// One named state of the newest measured checkpoint.
struct StateSizeView {
  std::string step;
  std::string name;
  uint64_t rows = 0;
  uint64_t bytes = 0;
  double bytes_per_second = 0;  // since the measurement before
};

struct JobView {
  std::string job_id;
  std::string name;
  std::string directory;
  JobState state = JobState::kCreated;
  int64_t attempt = 0;
  int64_t started_ms = 0;
  int64_t restarts = 0;
  uint32_t tasks = 0;
  int64_t restored_checkpoint = 0;  // 0: from nothing
  int64_t checkpoints_completed = 0;
  int64_t checkpoints_failed = 0;
  int64_t last_checkpoint_id = 0;
  int64_t last_checkpoint_ms = 0;
  int64_t last_checkpoint_duration_ms = 0;
  uint64_t last_checkpoint_bytes = 0;
  std::optional<JobFailure> failure;  // the last one
  std::string waiting_for;            // why a job that should run does not ("needs 4 slots, 2 are free")
  int64_t ended_ms = 0;               // 0: not yet
  std::vector<std::pair<JobState, int64_t>> states{};  // when it came into which state, oldest first, the last 32
  std::vector<TaskView> subtasks{};
  std::vector<CheckpointView> recent_checkpoints{};  // newest first, at most 10
  std::vector<JobFailure> failures{};                // newest first, at most 16
  std::vector<OperationView> operations{};           // newest first, at most 32
  StateForecast state_size{};                        // of the whole job, as its checkpoints hold it
  std::vector<StateSizeView> state_sizes{};          // of each state, measured every few seconds
  CheckpointChanges checkpoint_settings{};           // as they are now
  bool sources_held = false;                         // the state is larger than its limit: `on_limit: backpressure`
};

}  // namespace millrace
