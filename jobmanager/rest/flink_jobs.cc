// Flink's API: jobs, their plan, configuration, metrics and failures.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "jobmanager/rest/flink_metrics.h"
#include "jobmanager/rest/flink_model.h"
#include "jobmanager/rest/routes.h"

namespace millrace {

namespace {

using FlinkJson = nlohmann::ordered_json;

HttpResponse flink_answer(const FlinkJson& body) {
  return {200, "application/json", body.dump(-1, ' ', false, FlinkJson::error_handler_t::replace)};
}

HttpResponse job_ids(const RestCall& call) {
  FlinkJson jobs = FlinkJson::array();
  for (const JobView& view : call.context.control->jobs()) {
    jobs.push_back({{"id", view.job_id}, {"status", flink_job_state(view.state)}});
  }
  return flink_answer({{"jobs", jobs}});
}

/// Task counts of a job without its graph: from its view alone.
FlinkJson task_counts(const JobView& view) {
  uint32_t running = 0;
  uint32_t finished = 0;
  for (const TaskView& task : view.subtasks) {
    running += task.running && !task.finished ? 1 : 0;
    finished += task.finished ? 1 : 0;
  }
  if (is_terminal(view.state)) running = 0;
  FlinkJson counts{{"total", view.tasks}};
  for (const char* state : {"created", "scheduled", "deploying", "running", "finished", "canceling", "canceled",
                            "failed", "reconciling", "initializing"}) {
    counts[state] = 0;
  }
  counts["running"] = running;
  counts["finished"] = finished;
  return counts;
}

HttpResponse jobs_overview(const RestCall& call) {
  const int64_t now = call.context.clock->wall_ms();
  FlinkJson jobs = FlinkJson::array();
  for (const JobView& view : call.context.control->jobs()) {
    const int64_t end = is_terminal(view.state) ? view.ended_ms : -1;
    jobs.push_back({{"jid", view.job_id},
                    {"name", view.name},
                    {"start-time", view.started_ms},
                    {"end-time", end},
                    {"duration", (end >= 0 ? end : now) - view.started_ms},
                    {"state", flink_job_state(view.state)},
                    {"last-modification", view.states.empty() ? view.started_ms : view.states.back().second},
                    {"pending-operators", 0},
                    {"tasks", task_counts(view)}});
  }
  return flink_answer({{"jobs", jobs}});
}

std::string_view ship_strategy(Partitioning partitioning) {
  switch (partitioning) {
    case Partitioning::kForward:
      return "FORWARD";
    case Partitioning::kHash:
      return "HASH";
    case Partitioning::kGlobal:
      return "GLOBAL";
    case Partitioning::kBroadcast:
      return "BROADCAST";
    case Partitioning::kRebalance:
      return "REBALANCE";
  }
  return "FORWARD";
}

FlinkJson plan_json(const FlinkJob& job) {
  FlinkJson nodes = FlinkJson::array();
  for (const FlinkVertex& vertex : job.vertices) {
    FlinkJson node{
        {"id", vertex.id},         {"parallelism", vertex.parallelism}, {"operator", ""},
        {"operator_strategy", ""}, {"description", vertex.name},        {"optimizer_properties", FlinkJson::object()}};
    FlinkJson inputs = FlinkJson::array();
    for (const uint32_t edge : job.plan.chains[vertex.chain].in_edges) {
      const PhysicalEdge& one = job.plan.edges[edge];
      inputs.push_back({{"num", inputs.size()},
                        {"id", job.vertices[one.from_chain].id},
                        {"ship_strategy", ship_strategy(one.partitioning)},
                        {"exchange", "pipelined_bounded"}});
    }
    if (!inputs.empty()) node["inputs"] = inputs;
    nodes.push_back(node);
  }
  return {{"jid", job.view.job_id}, {"name", job.view.name}, {"type", "STREAMING"}, {"nodes", nodes}};
}

FlinkJson vertex_json(const FlinkJob& job, const FlinkVertex& vertex) {
  FlinkJson counts = FlinkJson::object();
  for (const std::string_view state : kFlinkTaskStates) counts[std::string(state)] = count_subtasks(vertex, state);
  double in = 0;
  double out = 0;
  double bytes = 0;
  SubtaskNumbers time;
  for (const FlinkSubtask& one : vertex.subtasks) {
    in += vertex.source ? 0 : one.records_in;
    bytes += vertex.source ? 0 : one.bytes_in;
    out += one.records_out;
    time.backpressured_seconds += one.head.backpressured_seconds;
    time.idle_seconds += one.head.idle_seconds;
    time.busy_seconds += one.head.busy_seconds;
  }
  const auto whole = [](double value) { return static_cast<int64_t>(value); };
  return {{"id", vertex.id},
          {"slotSharingGroupId", job.view.job_id},
          {"name", vertex.name},
          {"maxParallelism", job.graph->settings.max_parallelism},
          {"parallelism", vertex.parallelism},
          {"status", vertex.state},
          {"start-time", job.view.started_ms},
          {"end-time", job.end_ms()},
          {"duration", job.duration_ms()},
          {"tasks", counts},
          {"metrics",
           {{"read-bytes", whole(bytes)},
            {"read-bytes-complete", true},
            {"write-bytes", 0},
            {"write-bytes-complete", true},
            {"read-records", whole(in)},
            {"read-records-complete", true},
            {"write-records", whole(out)},
            {"write-records-complete", true},
            {"accumulated-backpressured-time", whole(time.backpressured_seconds * 1000)},
            {"accumulated-idle-time", whole(time.idle_seconds * 1000)},
            {"accumulated-busy-time", time.busy_seconds * 1000}}}};
}

FlinkJson timestamps_json(const JobView& view) {
  FlinkJson times = FlinkJson::object();
  for (const char* state : {"INITIALIZING", "CREATED", "RUNNING", "FAILING", "FAILED", "CANCELLING", "CANCELED",
                            "FINISHED", "RESTARTING", "SUSPENDED", "RECONCILING"}) {
    times[state] = 0;
  }
  for (const auto& [state, at] : view.states) times[std::string(flink_job_state(state))] = at;
  times["INITIALIZING"] = view.started_ms;
  return times;
}

HttpResponse job_details(const RestCall& call) {
  const auto job = flink_job(call);
  if (!job) return job.error();
  FlinkJson vertices = FlinkJson::array();
  FlinkJson counts = FlinkJson::object();
  for (const std::string_view state : kFlinkTaskStates) {
    uint32_t count = 0;
    for (const FlinkVertex& one : job->vertices) count += one.state == state ? 1 : 0;
    counts[std::string(state)] = count;
  }
  for (const FlinkVertex& one : job->vertices) vertices.push_back(vertex_json(*job, one));
  const std::string_view state = flink_job_state(job->view.state);
  return flink_answer({{"jid", job->view.job_id},
                       {"name", job->view.name},
                       {"isStoppable", false},
                       {"state", state},
                       {"job-type", "STREAMING"},
                       {"start-time", job->view.started_ms},
                       {"end-time", job->end_ms()},
                       {"duration", job->duration_ms()},
                       {"maxParallelism", job->graph->settings.max_parallelism},
                       {"now", job->now_ms},
                       {"timestamps", timestamps_json(job->view)},
                       {"vertices", vertices},
                       {"status-counts", counts},
                       {"plan", plan_json(*job)},
                       {"pending-operators", 0}});
}

HttpResponse job_plan(const RestCall& call) {
  const auto job = flink_job(call);
  return job ? flink_answer({{"plan", plan_json(*job)}}) : job.error();
}

HttpResponse job_status(const RestCall& call) {
  const auto view = flink_view(call);
  return view ? flink_answer({{"status", flink_job_state(view->state)}}) : view.error();
}

HttpResponse job_config(const RestCall& call) {
  const auto job = flink_job(call);
  if (!job) return job.error();
  const bool none = job->graph->settings.restart.strategy == RestartSettings::Strategy::kNone;
  return flink_answer({{"jid", job->view.job_id},
                       {"name", job->view.name},
                       {"execution-config",
                        {{"restart-strategy", none ? "none" : "configured in the job file"},
                         {"job-parallelism", job->graph->settings.parallelism},
                         {"object-reuse-mode", true},
                         {"user-config", FlinkJson::object()}}}});
}

HttpResponse job_exceptions(const RestCall& call) {
  const auto view = flink_view(call);
  if (!view) return view.error();
  FlinkJson entries = FlinkJson::array();
  for (const JobFailure& one : view->failures) {
    std::string text = fmt::format("{}: {}", one.code, one.message);
    if (!one.help.empty()) text += "\n" + one.help;
    FlinkJson entry{{"exceptionName", one.code},
                    {"stacktrace", text},
                    {"timestamp", one.at_ms},
                    {"failureLabels", FlinkJson::object()}};
    if (!one.step.empty()) entry["taskName"] = one.step;
    entry["concurrentExceptions"] = FlinkJson::array();
    entries.push_back(entry);
  }
  return flink_answer({{"exceptionHistory", {{"entries", entries}, {"truncated", false}}}});
}

HttpResponse job_metrics(const RestCall& call) {
  const auto view = flink_view(call);
  if (!view) return view.error();
  const double uptime =
      is_terminal(view->state) ? 0 : static_cast<double>(call.context.clock->wall_ms() - view->started_ms);
  FlinkMetricList list;
  list.add("uptime", uptime);
  list.add("runningTime", uptime);
  list.add("numRestarts", static_cast<double>(view->restarts));
  list.add("lastCheckpointDuration", static_cast<double>(view->last_checkpoint_duration_ms));
  list.add("lastCheckpointSize", static_cast<double>(view->last_checkpoint_bytes));
  list.add("lastCompletedCheckpointId", static_cast<double>(view->last_checkpoint_id));
  list.add("numberOfCompletedCheckpoints", static_cast<double>(view->checkpoints_completed));
  list.add("numberOfFailedCheckpoints", static_cast<double>(view->checkpoints_failed));
  list.add("totalNumberOfCheckpoints", static_cast<double>(view->checkpoints_completed + view->checkpoints_failed));
  return list.answer(call);
}

HttpResponse job_manager_config(const RestCall& call) {
  const auto view = flink_view(call);
  if (!view) return view.error();
  FlinkJson all = FlinkJson::array();
  for (const auto& [key, value] : call.context.settings) all.push_back({{"key", key}, {"value", value}});
  return flink_answer(all);
}

}  // namespace

std::vector<Route> flink_job_routes(const std::string& prefix) {
  const std::string job = prefix + "/jobs/:job";
  return {
      {"GET", prefix + "/jobs", "Flink: ids and states of all jobs", job_ids},
      {"GET", prefix + "/jobs/overview", "Flink: all jobs", jobs_overview},
      {"GET", job, "Flink: one job", job_details},
      {"GET", job + "/plan", "Flink: vertices and edges", job_plan},
      {"GET", job + "/config", "Flink: the job's configuration", job_config},
      {"GET", job + "/status", "Flink: the job's state", job_status},
      {"GET",
       job + "/exceptions",
       "Flink: the job's failures",
       job_exceptions,
       {"maxExceptions", "failureLabelFilter"}},
      {"GET", job + "/metrics", "Flink: the job's metrics", job_metrics, {"get", "agg"}},
      {"GET", job + "/jobmanager/config", "Flink: the configuration behind the job", job_manager_config},
  };
}

}  // namespace millrace
