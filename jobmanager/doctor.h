// Why there is no output: reads a job's graph, its series and its view and says in sentences with numbers what holds
// it: a partition that is behind, an idle input, a filter that drops all, late rows, a step that is back-pressured.
// Pure; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/metrics.h"
#include "jobmanager/job_view.h"
#include "plan/job_graph.h"

namespace millrace {

struct DoctorFinding {
  std::string step;  // "" for the job as a whole
  std::string kind;  // job, no_input, drops_all, late, errors, no_watermark, held_watermark, idle, backpressure,
                     // state_limit, healthy
  std::string text;
  std::string help;  // what to do; may be empty
};

/// Findings about all steps, or about `step` and what it reads, upstream first. Never empty.
std::vector<DoctorFinding> diagnose_job(const JobGraph& graph, const std::vector<MetricSample>& samples,
                                        const JobView& view, const std::string& step, int64_t now_ms);

}  // namespace millrace
