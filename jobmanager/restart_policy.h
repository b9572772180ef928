// After a failure: whether and when the job starts again, by `settings.restart`. A value without a clock: times come
// in.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include "core/random.h"
#include "plan/job_graph.h"

namespace millrace {

class RestartPolicy {
 public:
  RestartPolicy(const RestartSettings& settings, Random& random) : settings_(settings), random_(random) {}

  /// The delay in milliseconds before the next start, or nothing when the job has to stay failed.
  std::optional<int64_t> on_failure(int64_t now_ms);
  [[nodiscard]] int64_t failures() const { return failures_; }

 private:
  int64_t exponential_delay(int64_t now_ms);

  RestartSettings settings_;
  Random& random_;
  int64_t failures_ = 0;
  std::deque<int64_t> recent_;  // kFailureRate: times of failures within the period
  double backoff_ms_ = 0;       // kExponential
  int64_t last_start_ms_ = 0;
};

}  // namespace millrace
