// A job as Flink's API shows it: one vertex per chain, named after its steps, with numbers and states per subtask.
// Built for one answer out of the job's view, graph and series.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "jobmanager/rest/rest_api.h"
#include "jobmanager/rest/route_table.h"
#include "jobmanager/rest/step_numbers.h"
#include "plan/physical_plan.h"

namespace millrace {

inline constexpr std::string_view kFlinkVersion = "2.2.0";  // whose API this is

struct FlinkSubtask {
  uint32_t index = 0;
  std::string state;         // "RUNNING"
  std::string task_manager;  // id
  std::string endpoint;      // its address
  double records_in = 0;
  double records_out = 0;
  double bytes_in = 0;
  SubtaskNumbers head;  // of the chain's first step: time, watermark, queue
  SubtaskRates rates;
  double records_out_rate = 0;
  double pending = 0;  // records that a source has not read yet
};

struct FlinkVertex {
  std::string id;
  std::string name;  // "bids -> shaped"
  uint32_t chain = 0;
  bool source = false;
  uint32_t parallelism = 1;
  std::string state;
  std::vector<FlinkSubtask> subtasks;
};

struct FlinkJob {
  JobView view;
  std::shared_ptr<const JobGraph> graph;
  PhysicalPlan plan;
  std::vector<FlinkVertex> vertices;
  int64_t now_ms = 0;

  [[nodiscard]] int64_t end_ms() const { return is_terminal(view.state) ? view.ended_ms : -1; }
  [[nodiscard]] int64_t duration_ms() const { return (end_ms() >= 0 ? end_ms() : now_ms) - view.started_ms; }
};

/// Flink's name of a job's state: a job stopped with a savepoint is FINISHED there.
std::string_view flink_job_state(JobState state);

/// The job of the path, by its 32 hex digits only; else the answer that says why.
std::expected<FlinkJob, HttpResponse> flink_job(const RestCall& call);
std::expected<JobView, HttpResponse> flink_view(const RestCall& call);
/// The vertex of the path; null when there is none.
const FlinkVertex* flink_vertex(const FlinkJob& job, const RestCall& call);

/// How many subtasks (of all, or of one vertex) are in `state`.
uint32_t count_subtasks(const FlinkVertex& vertex, std::string_view state);

/// The states of a task in Flink's order.
inline constexpr std::string_view kFlinkTaskStates[] = {"CREATED",     "SCHEDULED",   "DEPLOYING", "RUNNING",
                                                        "FINISHED",    "CANCELING",   "CANCELED",  "FAILED",
                                                        "RECONCILING", "INITIALIZING"};

}  // namespace millrace
