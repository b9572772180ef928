// /api/v1: job files in. The file is planned here, so that a mistake is answered with its place before anything starts.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "jobmanager/rest/responses.h"
#include "jobmanager/rest/rest_api.h"
#include "jobmanager/rest/routes.h"
#include "plan/planner.h"
#include "plan/render_diagnostics.h"

namespace millrace {

namespace {

using SubmitJson = nlohmann::json;
constexpr std::string_view kBodyName = "job.yaml";

HttpResponse submit_answer(int status, const SubmitJson& body) {
  return {status, "application/json", body.dump(-1, ' ', false, SubmitJson::error_handler_t::replace)};
}

SubmitJson diagnostics_json(const PlannedJob& job, std::string_view text) {
  return SubmitJson::parse(render_json(job.diagnostics, {kBodyName, text}));
}

/// `param.NAME=value` and `set.PATH=value`.
SpecOverrides overrides_of_query(const RestCall& call) {
  constexpr std::string_view kParam = "param.";
  constexpr std::string_view kSet = "set.";
  SpecOverrides overrides;
  overrides.environment = call.context.environment;
  for (const auto& [name, value] : call.request.query) {
    if (name.starts_with(kParam)) overrides.params[name.substr(kParam.size())] = value;
    if (name.starts_with(kSet)) overrides.settings.emplace_back(name.substr(kSet.size()), value);
  }
  return overrides;
}

PlannedJob plan_body(const RestCall& call) {
  return plan_job(call.request.body, overrides_of_query(call), *call.context.registry);
}

HttpResponse refuse_file(const PlannedJob& job, std::string_view text) {
  SubmitJson body = diagnostics_json(job, text);
  const size_t errors = job.diagnostics.count(Severity::kError);
  const std::string message = fmt::format("the job file has {} mistake{}", errors, errors == 1 ? "" : "s");
  body["error_count"] = errors;
  body["error"] = message;
  body["errors"] = SubmitJson::array({message});
  return submit_answer(400, body);
}

/// Empty, or what is wrong.
std::string contradiction(const RestCall& call) {
  const int wishes =
      (call.query("restore").empty() ? 0 : 1) + (call.query("fork").empty() ? 0 : 1) + (call.flag("fresh") ? 1 : 0);
  return wishes > 1 ? "restore, fork and fresh exclude each other" : "";
}

SubmitOptions submit_options(const RestCall& call) {
  SubmitOptions options;
  options.start.restore = call.query("restore");
  options.start.fork = call.query("fork");
  options.start.fresh = call.flag("fresh");
  options.start.take_over = call.flag("take_over");
  options.until_done = call.flag("until_done");
  options.allow_dropped_state = call.flag("allow_dropped_state");
  options.republish = call.flag("republish");
  options.accept_lost_progress = call.flag("accept_lost_progress");
  return options;
}

/// Another file under the name of a job that is there: 409 with that job's id.
HttpResponse refuse_submit(const RestCall& call, const std::string& name, const Error& error) {
  const auto there = call.context.control->job(name);
  if (error.code != ErrorCode::kRefusedByState || !there || is_terminal(there->state)) return rest_error(error);
  return submit_answer(409, {{"errors", {error.message}},
                             {"error", error.message},
                             {"code", error.info().code},
                             {"help", error.help.empty() ? "`millrace upgrade` replaces it" : error.help},
                             {"job_id", there->job_id}});
}

HttpResponse submit_job(const RestCall& call) {
  if (const std::string wrong = contradiction(call); !wrong.empty()) return rest_error(400, wrong);
  PlannedJob job = plan_body(call);
  if (!job.ok) return refuse_file(job, call.request.body);
  SubmitJson body = diagnostics_json(job, call.request.body);
  const std::string name = job.graph.name;
  body["name"] = name;
  if (call.flag("dry_run")) {
    body["plan"] = SubmitJson::parse(describe_plan(job.graph, "json"));
    return submit_answer(200, body);
  }
  const auto submitted = call.context.control->submit(std::move(job), submit_options(call));
  if (!submitted) return refuse_submit(call, name, submitted.error());
  body["job_id"] = submitted->job_id;
  body["existed"] = submitted->existed;
  return submit_answer(submitted->existed ? 200 : 201, body);
}

HttpResponse validate_job(const RestCall& call) {
  const PlannedJob job = plan_body(call);
  SubmitJson body = diagnostics_json(job, call.request.body);
  body["valid"] = job.ok;
  return submit_answer(200, body);
}

HttpResponse upgrade_job(const RestCall& call) {
  const auto view = call.job();
  if (!view) return rest_error(Error{ErrorCode::kNotFound, "no job `" + call.segment("job") + "`", ""});
  PlannedJob job = plan_body(call);
  if (!job.ok) return refuse_file(job, call.request.body);
  if (job.graph.name != view->name) {
    return rest_error(400, "the file is of job `" + job.graph.name + "`, not of `" + view->name + "`",
                      "an upgrade keeps the name; `millrace submit` starts another job");
  }
  const auto trigger = call.context.control->upgrade(view->job_id, std::move(job), call.flag("allow_dropped_state"));
  if (!trigger) return rest_error(trigger.error());
  return submit_answer(202, {{"job_id", view->job_id}, {"trigger_id", *trigger}, {"kind", "upgrade"}});
}

}  // namespace

std::vector<Route> submit_routes() {
  const std::vector<std::string> overrides{"param.*", "set.*"};
  std::vector<std::string> submit = overrides;
  submit.insert(submit.end(), {"restore", "fork", "fresh", "take_over", "until_done", "allow_dropped_state",
                               "republish", "accept_lost_progress", "dry_run"});
  std::vector<std::string> upgrade = overrides;
  upgrade.emplace_back("allow_dropped_state");
  const std::string yaml = "application/yaml";
  return {
      {"POST", "/api/v1/jobs", "start the job of this file", submit_job, submit, yaml},
      {"POST", "/api/v1/validate", "mistakes of a job file, with line and column", validate_job, overrides, yaml},
      {"POST", "/api/v1/jobs/:job/upgrade", "replace the job's file, keeping its state", upgrade_job, upgrade, yaml},
  };
}

}  // namespace millrace
