// /api/v1: what jobs and task managers are doing.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "jobmanager/doctor.h"
#include "jobmanager/rest/responses.h"
#include "jobmanager/rest/rest_api.h"
#include "jobmanager/rest/routes.h"
#include "jobmanager/rest/step_numbers.h"

namespace millrace {

namespace {

using Json = nlohmann::json;

HttpResponse json_of(const Json& body) {
  return {200, "application/json", body.dump(-1, ' ', false, Json::error_handler_t::replace)};
}

Json failure_json(const JobFailure& failure) {
  return {{"step", failure.step},
          {"code", failure.code},
          {"message", failure.message},
          {"help", failure.help},
          {"at", failure.at_ms}};
}

Json state_size_json(const JobView& view) {
  const StateForecast& size = view.state_size;
  Json states = Json::array();
  for (const StateSizeView& one : view.state_sizes) {
    states.push_back({{"step", one.step},
                      {"state", one.name},
                      {"rows", one.rows},
                      {"bytes", one.bytes},
                      {"growth_bytes_per_second", one.bytes_per_second}});
  }
  Json json{{"bytes", size.bytes},
            {"growth_bytes_per_second", size.bytes_per_second},
            {"text", forecast_text(size)},
            {"sources_held", view.sources_held},
            {"states", std::move(states)}};
  if (size.limit_bytes > 0) {
    json["limit_bytes"] = size.limit_bytes;
    json["limit_reached_in_ms"] = size.reached_in_ms < 0 ? Json() : Json(size.reached_in_ms);
  }
  return json;
}

Json job_json(const JobView& view) {
  Json json{{"id", view.job_id},
            {"name", view.name},
            {"state", job_state_name(view.state)},
            {"attempt", view.attempt},
            {"started_at", view.started_ms},
            {"ended_at", view.ended_ms},
            {"restarts", view.restarts},
            {"tasks", view.tasks},
            {"directory", view.directory},
            {"waiting_for", view.waiting_for},
            {"restored_checkpoint", view.restored_checkpoint},
            {"checkpoints",
             {{"completed", view.checkpoints_completed},
              {"failed", view.checkpoints_failed},
              {"last",
               {{"id", view.last_checkpoint_id},
                {"completed_at", view.last_checkpoint_ms},
                {"duration_ms", view.last_checkpoint_duration_ms},
                {"bytes", view.last_checkpoint_bytes}}},
              {"settings", view.checkpoint_settings}}}};
  if (view.failure) json["failure"] = failure_json(*view.failure);
  if (view.last_checkpoint_id > 0) json["state_size"] = state_size_json(view);
  return json;
}

HttpResponse unknown_job(const RestCall& call) {
  return rest_error(
      Error{ErrorCode::kNotFound, "no job `" + call.segment("job") + "`", "`millrace list` shows the jobs"});
}

HttpResponse list_jobs(const RestCall& call) {
  Json jobs = Json::array();
  for (const JobView& view : call.context.control->jobs()) jobs.push_back(job_json(view));
  return json_of({{"jobs", std::move(jobs)}});
}

HttpResponse show_job(const RestCall& call) {
  const auto view = call.job();
  return view ? json_of(job_json(*view)) : unknown_job(call);
}

HttpResponse show_doctor(const RestCall& call) {
  const auto view = call.job();
  if (!view) return unknown_job(call);
  const auto graph = call.context.control->graph(view->job_id);
  const std::string step = call.query("step");
  if (!graph || (!step.empty() && graph->find(step) == nullptr)) {
    return rest_error(Error{ErrorCode::kNotFound, "no step `" + step + "` in job `" + view->name + "`", ""});
  }
  Json findings = Json::array();
  const auto samples = call.context.control->samples(view->job_id);
  for (const DoctorFinding& one : diagnose_job(*graph, samples, *view, step, call.context.clock->wall_ms())) {
    findings.push_back({{"step", one.step}, {"kind", one.kind}, {"text", one.text}, {"help", one.help}});
  }
  return json_of({{"job", view->name}, {"state", job_state_name(view->state)}, {"findings", findings}});
}

Json checkpoint_json(const CheckpointView& one) {
  constexpr std::string_view kStates[] = {"IN_PROGRESS", "COMPLETED", "FAILED"};
  return {{"id", one.id},
          {"status", kStates[static_cast<size_t>(one.status)]},
          {"savepoint", one.savepoint},
          {"unaligned", one.unaligned},
          {"path", one.path},
          {"triggered_at", one.triggered_ms},
          {"ended_at", one.ended_ms},
          {"bytes", one.bytes},
          {"written", one.written},
          {"tasks", one.tasks},
          {"acknowledged", one.acknowledged},
          {"failure", one.failure}};
}

HttpResponse show_checkpoints(const RestCall& call) {
  const auto view = call.job();
  if (!view) return unknown_job(call);
  Json recent = Json::array();
  for (const CheckpointView& one : view->recent_checkpoints) recent.push_back(checkpoint_json(one));
  return json_of({{"completed", view->checkpoints_completed},
                  {"failed", view->checkpoints_failed},
                  {"restored", view->restored_checkpoint},
                  {"settings", view->checkpoint_settings},
                  {"recent", std::move(recent)}});
}

HttpResponse show_spec(const RestCall& call) {
  const auto view = call.job();
  if (!view) return unknown_job(call);
  return {200, "application/yaml", call.context.control->spec(view->job_id)};
}

HttpResponse show_plan(const RestCall& call) {
  const auto view = call.job();
  const auto graph = view ? call.context.control->graph(view->job_id) : nullptr;
  if (!graph) return unknown_job(call);
  return {200, "application/json", describe_plan(*graph, "json")};
}

Json step_json(const Node& node, const SubtaskNumbers& sum, const std::map<uint32_t, SubtaskRates>& rates) {
  constexpr std::string_view kKinds[] = {"source", "operator", "sink"};
  SubtaskRates total;
  double busiest = 0;
  double blocked = 0;
  for (const auto& [subtask, one] : rates) {
    total.records_in += one.records_in;
    total.records_out += one.records_out;
    total.bytes_in += one.bytes_in;
    busiest = std::max(busiest, one.busy);
    blocked = std::max(blocked, one.backpressured);
  }
  return {{"step", node.id},
          {"kind", kKinds[static_cast<size_t>(node.kind)]},
          {"type", node.type},
          {"parallelism", node.parallelism},
          {"records_in", sum.records_in},
          {"records_out", sum.records_out},
          {"records_in_per_second", total.records_in},
          {"records_out_per_second", total.records_out},
          {"bytes_in_per_second", total.bytes_in},
          {"busy_ratio_max", busiest},
          {"backpressured_ratio_max", blocked},
          {"late_records", sum.late_records},
          {"errors", sum.errors},
          {"lag_records", sum.lag_records},
          {"watermark_seconds", sum.watermark_seconds},
          {"state_keys", sum.state_keys},
          {"state_bytes", sum.state_bytes}};
}

HttpResponse show_steps(const RestCall& call) {
  const auto view = call.job();
  const auto graph = view ? call.context.control->graph(view->job_id) : nullptr;
  if (!graph) return unknown_job(call);
  const int64_t now = call.context.clock->wall_ms();
  const StepNumbers numbers = step_numbers(call.context.control->samples(view->job_id));
  const StepRates rates = call.context.rates->rates(view->job_id, numbers, now, view->started_ms);
  Json steps = Json::array();
  for (const Node& node : graph->nodes) {
    const auto found = numbers.find(node.id);
    const auto rate = rates.find(node.id);
    steps.push_back(step_json(node, found == numbers.end() ? SubtaskNumbers{} : sum_of(found->second),
                              rate == rates.end() ? std::map<uint32_t, SubtaskRates>{} : rate->second));
  }
  return json_of({{"job", view->name}, {"state", job_state_name(view->state)}, {"at", now}, {"steps", steps}});
}

HttpResponse list_task_managers(const RestCall& call) {
  Json all = Json::array();
  for (const TaskManagerView& one : call.context.control->task_managers()) {
    all.push_back({{"id", one.id},
                   {"address", one.address},
                   {"data_address", one.data_address},
                   {"rest_address", one.rest_address},
                   {"version", one.version},
                   {"slots", one.slots},
                   {"slots_free", one.slots_free},
                   {"memory_bytes", one.memory_bytes},
                   {"registered_at", one.registered_ms},
                   {"last_heartbeat_at", one.last_heartbeat_ms},
                   {"jobs", one.jobs}});
  }
  return json_of({{"taskmanagers", std::move(all)}});
}

}  // namespace

std::vector<Route> job_routes() {
  const std::string job = "/api/v1/jobs/:job";
  return {
      {"GET", "/api/v1/jobs", "jobs that run and the last ones that ended", list_jobs},
      {"GET", job, "one job, by id or name", show_job},
      {"GET", job + "/doctor", "why there is no output", show_doctor, {"step"}},
      {"GET", job + "/checkpoints", "the last checkpoints and savepoints", show_checkpoints},
      {"GET", job + "/spec", "the job file that runs, resolved", show_spec, {}, "", "application/yaml"},
      {"GET", job + "/plan", "steps, chains, exchanges, state and delivery", show_plan},
      {"GET", job + "/steps", "rows, load, lag, watermark and state of every step", show_steps},
      {"GET", "/api/v1/taskmanagers", "task managers and their slots", list_task_managers},
  };
}

}  // namespace millrace
