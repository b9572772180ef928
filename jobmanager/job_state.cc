#include "jobmanager/job_state.h"

#include <initializer_list>

namespace millrace {

namespace {

struct JobStateRow {
  JobState from;
  std::string_view name;
  std::initializer_list<JobState> to;
};

using enum JobState;
const JobStateRow kJobStates[] = {
    {kCreated, "CREATED", {kRunning, kFailed, kSuspended, kCanceled}},
    {kRunning, "RUNNING", {kEnding, kFailing, kRestarting, kCancelling, kSuspended}},
    {kEnding, "ENDING", {kFinished, kSuspended, kFailing, kCancelling}},
    {kFailing, "FAILING", {kRestarting, kFailed, kSuspended, kCancelling}},
    {kRestarting, "RESTARTING", {kRunning, kFailing, kFailed, kSuspended, kCancelling, kCanceled}},
    {kCancelling, "CANCELLING", {kCanceled, kFailed}},
    {kFinished, "FINISHED", {}},
    {kSuspended, "SUSPENDED", {}},
    {kCanceled, "CANCELED", {}},
    {kFailed, "FAILED", {}},
};

const JobStateRow& row_of(JobState state) { return kJobStates[static_cast<size_t>(state)]; }

}  // namespace

std::string_view job_state_name(JobState state) { return row_of(state).name; }

bool is_terminal(JobState state) { return row_of(state).to.size() == 0; }

bool may_change(JobState from, JobState to) {
  for (const JobState next : row_of(from).to) {
    if (next == to) return true;
  }
  return false;
}

}  // namespace millrace
