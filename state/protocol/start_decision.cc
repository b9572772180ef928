#include "state/protocol/start_decision.h"

#include <array>
#include <cstddef>

namespace millrace {

namespace {
constexpr std::array<std::string_view, 5> kJobStatusNames = {"RUNNING", "SUSPENDED", "FAILED", "FINISHED", "CANCELED"};
}

std::string_view job_status_name(JobStatus status) { return kJobStatusNames[static_cast<size_t>(status)]; }

bool parse_job_status(std::string_view name, JobStatus& out) {
  for (size_t i = 0; i < kJobStatusNames.size(); ++i) {
    if (kJobStatusNames[i] == name) {
      out = static_cast<JobStatus>(i);
      return true;
    }
  }
  return false;
}

StartDecision decide_start(const StartRequest& request, const StartFacts& facts) {
  if (!request.restore.empty()) return StartDecision::kRestorePath;
  if (!request.fork.empty()) return StartDecision::kForkPath;
  if (!facts.record_exists) return StartDecision::kFirst;
  if (request.fresh) return StartDecision::kFreshAside;
  const bool ended = facts.status == JobStatus::kFinished || facts.status == JobStatus::kCanceled;
  return ended ? StartDecision::kFreshEnded : StartDecision::kResume;
}

}  // namespace millrace
