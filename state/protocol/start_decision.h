// Which state a start of a job uses, as a table: request and facts in, decision out. No I/O.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace millrace {

enum class JobStatus : uint8_t {
  kRunning,    // also after a crash
  kSuspended,  // ended by a signal with a checkpoint; the next run goes on
  kFailed,
  kFinished,
  kCanceled,
};
std::string_view job_status_name(JobStatus status);  // "RUNNING"
/// False: not a status.
bool parse_job_status(std::string_view name, JobStatus& out);

/// The options of `millrace run`.
struct StartRequest {
  std::string restore;  // --restore PATH
  std::string fork;     // --fork PATH
  bool fresh = false;   // --fresh
  bool take_over = false;
};

enum class StartDecision : uint8_t {
  kFirst,        // nothing there: new job_id, no state
  kFreshAside,   // --fresh: the old directory is moved away, then as kFirst
  kFreshEnded,   // the job ended FINISHED or CANCELED: new job_id in the same directory, ids go on
  kResume,       // newest completed checkpoint, same job_id (without any checkpoint: from the start)
  kRestorePath,  // that checkpoint, its job_id
  kForkPath,     // that checkpoint, new job_id
};

struct StartFacts {
  bool record_exists = false;
  JobStatus status = JobStatus::kRunning;
};

StartDecision decide_start(const StartRequest& request, const StartFacts& facts);

}  // namespace millrace
