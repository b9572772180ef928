// Health, metrics, service discovery for Prometheus, and the descriptions of the interface itself.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "http/metrics_page.h"
#include "jobmanager/rest/flink_names.h"
#include "jobmanager/rest/responses.h"
#include "jobmanager/rest/rest_api.h"
#include "jobmanager/rest/routes.h"
#include "jobmanager/rest/step_numbers.h"
#include "plan/json_schema.h"

namespace millrace {

namespace {

using RootJson = nlohmann::json;

HttpResponse health(const RestCall& /*call*/) { return {200, "application/json", R"({"status":"ok"})"}; }

HttpResponse ready(const RestCall& call) {
  std::pair<bool, std::string> state{true, "ok"};
  if (call.context.ready) state = call.context.ready();
  return {state.first ? 200 : 503, "application/json", RootJson{{"status", state.second}}.dump()};
}

void add_control_samples(const RestCall& call, int64_t now_ms, std::vector<MetricSample>& samples) {
  for (const JobView& view : call.context.control->jobs()) {
    if (is_terminal(view.state)) continue;
    samples.push_back({"millrace_job_uptime_seconds", "Time since the job's start in this process.", MetricKind::kGauge,
                       Labels{{"job_id", view.job_id}, {"job_name", view.name}},
                       static_cast<double>(now_ms - view.started_ms) / 1000.0});
  }
  samples.push_back({"millrace_build_info", "1; the version is the label.", MetricKind::kGauge,
                     Labels{{"version", call.context.version}}, 1});
}

HttpResponse metrics(const RestCall& call) {
  const std::string names = call.query("names", "millrace");
  if (names != "millrace" && names != "flink") {
    return rest_error(400, "there are no names `" + names + "`", "names=flink, or nothing");
  }
  const int64_t now_ms = call.context.clock->wall_ms();
  std::vector<MetricSample> samples = call.context.control->own_samples();
  collect_process_metrics(samples);
  add_control_samples(call, now_ms, samples);
  add_watermark_lag(samples, now_ms);
  if (names == "flink") {
    samples = flink_named(samples, {false, "", call.context.control->jobs(), now_ms}, *call.context.scrape_rates);
  }
  return {200, "text/plain; version=0.0.4; charset=utf-8", render_metrics(samples)};
}

/// https://prometheus.io/docs/prometheus/latest/http_sd/: the caller reached the job manager under its Host.
HttpResponse discovery(const RestCall& call) {
  const auto host = call.request.headers.find("host");
  RootJson targets = RootJson::array();
  if (host != call.request.headers.end()) {
    targets.push_back({{"targets", {host->second}}, {"labels", {{"role", "jobmanager"}}}});
  }
  for (const TaskManagerView& one : call.context.control->task_managers()) {
    if (one.rest_address.empty()) continue;
    targets.push_back(
        {{"targets", {one.rest_address}}, {"labels", {{"role", "taskmanager"}, {"taskmanager", one.id}}}});
  }
  return {200, "application/json", targets.dump()};
}

HttpResponse openapi(const RestCall& call) {
  return {200, "application/json", openapi_document(*call.context.routes, call.context.version)};
}

HttpResponse job_schema(const RestCall& call) {
  return {200, "application/schema+json", job_json_schema(*call.context.registry)};
}

}  // namespace

std::vector<Route> root_routes() {
  const std::string text = "text/plain";
  return {
      {"GET", "/healthz", "whether the process serves", health},
      {"GET", "/readyz", "whether it can do its work", ready},
      {"GET",
       "/metrics",
       "metrics in Prometheus' format; names=flink: under Flink's names",
       metrics,
       {"names"},
       "",
       text},
      {"GET", "/prometheus/targets", "all metrics pages of the cluster, for Prometheus' http_sd", discovery},
      {"GET", "/openapi.json", "this description", openapi},
      {"GET", "/schemas/job.v1.json", "the JSON Schema of job files", job_schema, {}, "", "application/schema+json"},
      {"GET",
       "/api/v1/schemas/job.v1.json",
       "the JSON Schema of job files",
       job_schema,
       {},
       "",
       "application/schema+json"},
  };
}

}  // namespace millrace
