// The page /metrics?names=flink: the same numbers under the names, units and labels that public Grafana dashboards and
// alert rules for Flink use (about forty). All are gauges, as Flink's reporter writes them; what Flink tells per second
// is a rate since an earlier scrape. One thread per RateWindow.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/metrics.h"
#include "jobmanager/job_view.h"
#include "jobmanager/rest/step_numbers.h"

namespace millrace {

struct FlinkPage {
  bool taskmanager = false;     // whose process_* numbers these are
  std::string tm_id;            // label of task series; "" without
  std::vector<JobView> jobs{};  // of a job manager
  int64_t now_ms = 0;
};

std::vector<MetricSample> flink_named(const std::vector<MetricSample>& samples, const FlinkPage& page,
                                      RateWindow& rates);

/// The id of a step as Flink would show it, 32 hex digits: the same in every process and at every start.
std::string flink_vertex_id(std::string_view step);

}  // namespace millrace
