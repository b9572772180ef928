#include "jobmanager/rest/flink_model.h"

#include <algorithm>

#include "jobmanager/rest/flink_names.h"
#include "jobmanager/rest/responses.h"

namespace millrace {

namespace {

std::string subtask_state(JobState job, const TaskView* task) {
  switch (job) {
    case JobState::kFinished:
    case JobState::kSuspended:
      return "FINISHED";
    case JobState::kCanceled:
      return "CANCELED";
    case JobState::kFailed:
      return "FAILED";
    default:
      break;
  }
  if (task == nullptr) return job == JobState::kRunning ? "RUNNING" : "CREATED";
  if (task->finished) return "FINISHED";
  if (job == JobState::kCancelling || job == JobState::kFailing) return "CANCELING";
  if (task->running) return "RUNNING";
  return task->task_manager.empty() ? "SCHEDULED" : "DEPLOYING";
}

/// The state of a vertex: the least advanced of its subtasks.
std::string vertex_state(const std::vector<FlinkSubtask>& subtasks) {
  for (const char* state : {"FAILED", "CANCELING", "CREATED", "SCHEDULED", "DEPLOYING", "RUNNING", "CANCELED"}) {
    if (std::ranges::any_of(subtasks, [&](const FlinkSubtask& one) { return one.state == state; })) return state;
  }
  return "FINISHED";
}

class FlinkModelBuilder {
 public:
  FlinkModelBuilder(const RestCall& call, FlinkJob& job) : call_(call), job_(job) {
    numbers_ = step_numbers(call.context.control->samples(job.view.job_id));
    rates_ = call.context.rates->rates(job.view.job_id, numbers_, job.now_ms, job.view.started_ms);
    for (const TaskManagerView& one : call.context.control->task_managers()) addresses_[one.id] = one.address;
  }

  void build() {
    for (uint32_t number = 0; number < job_.plan.chains.size(); ++number) job_.vertices.push_back(vertex(number));
  }

 private:
  FlinkVertex vertex(uint32_t number) {
    const Chain& chain = job_.plan.chains[number];
    FlinkVertex out;
    out.chain = number;
    out.parallelism = chain.parallelism;
    const Node& head = job_.graph->nodes[chain.nodes.front()];
    out.id = flink_vertex_id(head.id);
    out.source = head.kind == NodeKind::kSource;
    if (out.source) out.name = "Source: ";
    for (size_t i = 0; i < chain.nodes.size(); ++i) {
      out.name += (i == 0 ? "" : " -> ") + job_.graph->nodes[chain.nodes[i]].id;
    }
    for (uint32_t i = 0; i < chain.parallelism; ++i) out.subtasks.push_back(subtask(number, i));
    out.state = vertex_state(out.subtasks);
    return out;
  }

  FlinkSubtask subtask(uint32_t number, uint32_t index) {
    const Chain& chain = job_.plan.chains[number];
    FlinkSubtask out;
    out.index = index;
    const TaskView* task = nullptr;
    for (const TaskView& one : job_.view.subtasks) {
      if (one.task == TaskId{number, index}) task = &one;
    }
    out.state = subtask_state(job_.view.state, task);
    if (task != nullptr) out.task_manager = task->task_manager;
    if (addresses_.contains(out.task_manager)) out.endpoint = addresses_[out.task_manager];
    const std::string& head = job_.graph->nodes[chain.nodes.front()].id;
    const std::string& last = job_.graph->nodes[chain.nodes.back()].id;
    out.head = numbers_[head][index];
    out.records_in = out.head.records_in;
    out.bytes_in = out.head.bytes_in;
    out.pending = out.head.lag_records;
    out.records_out = numbers_[last][index].records_out;
    out.rates = rates_[head][index];
    out.records_out_rate = rates_[last][index].records_out;
    return out;
  }

  const RestCall& call_;
  FlinkJob& job_;
  StepNumbers numbers_;
  StepRates rates_;
  std::map<std::string, std::string> addresses_;
};

}  // namespace

std::string_view flink_job_state(JobState state) {
  switch (state) {
    case JobState::kEnding:
      return "RUNNING";
    case JobState::kSuspended:
      return "FINISHED";
    default:
      return job_state_name(state);
  }
}

std::expected<JobView, HttpResponse> flink_view(const RestCall& call) {
  const std::string id = call.segment("job");
  if (!is_hex_id(id)) {
    return std::unexpected(rest_error(400, "Cannot resolve path parameter (jobid) from value \"" + id + "\"."));
  }
  auto view = call.job();
  if (!view || view->job_id != id) return std::unexpected(rest_error(404, "Job " + id + " not found"));
  return std::move(*view);
}

std::expected<FlinkJob, HttpResponse> flink_job(const RestCall& call) {
  auto view = flink_view(call);
  if (!view) return std::unexpected(std::move(view.error()));
  FlinkJob job;
  job.view = std::move(*view);
  job.graph = call.context.control->graph(job.view.job_id);
  job.now_ms = call.context.clock->wall_ms();
  if (!job.graph) return std::unexpected(rest_error(404, "Job " + job.view.job_id + " not found"));
  job.plan = make_physical_plan(*job.graph);
  FlinkModelBuilder(call, job).build();
  return job;
}

const FlinkVertex* flink_vertex(const FlinkJob& job, const RestCall& call) {
  const auto found = std::ranges::find(job.vertices, call.segment("vertex"), &FlinkVertex::id);
  return found == job.vertices.end() ? nullptr : &*found;
}

uint32_t count_subtasks(const FlinkVertex& vertex, std::string_view state) {
  return static_cast<uint32_t>(
      std::ranges::count_if(vertex.subtasks, [&](const FlinkSubtask& one) { return one.state == state; }));
}

}  // namespace millrace
