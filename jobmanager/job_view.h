// What others may know of a job: a copy that REST handlers and commands read while the job's thread goes on.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "jobmanager/job_state.h"

namespace millrace {

struct JobFailure {
  std::string step;  // "" when no single step failed
  std::string code;  // "E0503"
  std::string message;
  std::string help;
  int64_t at_ms = 0;
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
};

}  // namespace millrace
