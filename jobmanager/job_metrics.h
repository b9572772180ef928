// The job's own series; written by the job's thread only.
#pragma once

#include <cstdint>
#include <string>

#include "core/metrics.h"
#include "jobmanager/job_state.h"

namespace millrace {

class JobMetrics {
 public:
  /// `registry` may be null.
  void open(MetricRegistry* registry, const std::string& job_id, const std::string& job_name);
  void state(JobState state);
  void checkpoint_completed(int64_t duration_ms, uint64_t bytes, int64_t now_ms);
  void checkpoint_failed();
  void restarted();

 private:
  MetricPtr states_[10];
  MetricPtr completed_;
  MetricPtr failed_;
  MetricPtr duration_;
  MetricPtr bytes_;
  MetricPtr last_completed_;
  MetricPtr restarts_;
};

}  // namespace millrace
