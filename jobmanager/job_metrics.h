// The job's own series; written by the job's thread only.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "core/metrics.h"
#include "jobmanager/job_view.h"

namespace millrace {

/// Why a job was started again.
enum class RestartCause : uint8_t {
  kTaskFailure,        // an error of a step, a source or a sink
  kTaskManagerLost,    // a process that ran tasks of it is gone
  kConnectionLost,     // … or the connection between two of them
  kCheckpointFailure,  // more checkpoints failed in a row than are tolerated
  kStorage,            // the checkpoint storage did not answer when it was to start again
  kJobManagerLost,     // a job manager started, and the job had been running
  kRollback,           // an upgrade failed: the old file again
};
constexpr size_t kRestartCauses = 7;
/// By the code of its failure, "E0511".
RestartCause restart_cause_of(std::string_view failure_code);

class JobMetrics {
 public:
  /// `registry` may be null.
  void open(MetricRegistry* registry, const std::string& job_id, const std::string& job_name);
  void state(JobState state);
  void checkpoint_completed(int64_t duration_ms, uint64_t bytes, uint64_t written, int64_t now_ms);
  void checkpoint_failed();
  void restarted(RestartCause cause);
  void state_size(const StateForecast& forecast);
  void state_size(const StateSizeView& state);

 private:
  MetricPtr states_[10];
  MetricPtr completed_;
  MetricPtr failed_;
  MetricPtr duration_;
  MetricPtr bytes_;
  MetricPtr written_;
  MetricPtr last_completed_;
  MetricPtr restarts_[kRestartCauses];
  MetricPtr growth_;
  MetricPtr limit_;
  MetricPtr limit_reached_;
  struct StateSeries {
    MetricPtr bytes;
    MetricPtr keys;
    MetricPtr growth;
  };
  MetricRegistry* registry_ = nullptr;
  Labels labels_;
  std::map<std::pair<std::string, std::string>, StateSeries> states_sizes_;  // by step and name
};

}  // namespace millrace
