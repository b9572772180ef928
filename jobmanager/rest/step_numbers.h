// The series of one job as numbers per step and subtask: what Flink's vertices, `millrace top` and rates are made of.
// Rates compare with an earlier look at the same series (RateWindow); the first look has the average since the start.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/metrics.h"

namespace millrace {

struct SubtaskNumbers {
  double records_in = 0;
  double records_out = 0;
  double bytes_in = 0;
  double busy_seconds = 0;
  double idle_seconds = 0;
  double backpressured_seconds = 0;
  double late_records = 0;
  double errors = 0;
  double lag_records = 0;
  double watermark_seconds = 0;  // 0: none yet; beyond 1e12: the end of input
  double state_keys = 0;
  double state_bytes = 0;
  double queue_usage = 0;
};

/// step -> subtask -> numbers.
using StepNumbers = std::map<std::string, std::map<uint32_t, SubtaskNumbers>>;

StepNumbers step_numbers(const std::vector<MetricSample>& samples);
/// Counters and sizes added up, the watermark of the slowest, the fullest queue.
SubtaskNumbers sum_of(const std::map<uint32_t, SubtaskNumbers>& subtasks);

/// Per second.
struct SubtaskRates {
  double records_in = 0;
  double records_out = 0;
  double bytes_in = 0;
  double busy = 0;  // shares of the subtask's time, 0 … 1
  double idle = 0;
  double backpressured = 0;
};
using StepRates = std::map<std::string, std::map<uint32_t, SubtaskRates>>;

/// Remembers a few looks at every job; one thread.
class RateWindow {
 public:
  /// Rates between `now` and a look at least a second older. A counter that fell (a restart) counts from zero.
  StepRates rates(const std::string& job_id, const StepNumbers& now, int64_t now_ms, int64_t started_ms);

 private:
  struct Look {
    int64_t at_ms = 0;
    StepNumbers numbers;
  };
  std::map<std::string, std::deque<Look>> looks_;
};

/// millrace_step_watermark_lag_seconds for every step that has a watermark: means something at the moment of the scrape
/// only.
void add_watermark_lag(std::vector<MetricSample>& samples, int64_t now_ms);

}  // namespace millrace
