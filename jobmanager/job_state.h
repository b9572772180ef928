// The states of a job and the one table of legal transitions.
#pragma once

#include <cstdint>
#include <string_view>

namespace millrace {

enum class JobState : uint8_t {
  kCreated,  // waits for slots
  kRunning,
  kEnding,      // the final checkpoint is complete, tasks are being closed
  kFailing,     // a task failed, the others are being cancelled
  kRestarting,  // waits for the delay of its restart strategy
  kCancelling,
  kFinished,   // all input was handled
  kSuspended,  // stopped with its state kept: the next run goes on
  kCanceled,
  kFailed,
};

std::string_view job_state_name(JobState state);  // "RUNNING"
bool is_terminal(JobState state);
bool may_change(JobState from, JobState to);

}  // namespace millrace
