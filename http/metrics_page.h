// The text of /metrics: samples through prometheus-cpp's serialiser, with the process_* metrics that dashboards expect.
#pragma once

#include <string>
#include <vector>

#include "core/metrics.h"

namespace millrace {

/// Prometheus text format 0.0.4.
std::string render_metrics(const std::vector<MetricSample>& samples);

/// process_resident_memory_bytes, process_cpu_seconds_total, process_open_fds, process_start_time_seconds.
void collect_process_metrics(std::vector<MetricSample>& samples);

}  // namespace millrace
