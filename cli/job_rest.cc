#include "cli/job_rest.h"

#include <nlohmann/json.hpp>

#include "core/clock.h"
#include "http/metrics_page.h"
#include "jobmanager/doctor.h"

namespace millrace {

namespace {

using Json = nlohmann::json;

HttpResponse json_response(int status, const Json& body) {
  return {status, "application/json", body.dump(-1, ' ', false, Json::error_handler_t::replace)};
}

Json job_json(const JobView& view) {
  Json json{{"id", view.job_id},
            {"name", view.name},
            {"state", job_state_name(view.state)},
            {"attempt", view.attempt},
            {"started_at", view.started_ms},
            {"restarts", view.restarts},
            {"tasks", view.tasks},
            {"directory", view.directory},
            {"restored_checkpoint", view.restored_checkpoint},
            {"checkpoints",
             {{"completed", view.checkpoints_completed},
              {"failed", view.checkpoints_failed},
              {"last",
               {{"id", view.last_checkpoint_id},
                {"completed_at", view.last_checkpoint_ms},
                {"duration_ms", view.last_checkpoint_duration_ms},
                {"bytes", view.last_checkpoint_bytes}}}}}};
  if (view.failure) {
    json["failure"] = {{"step", view.failure->step},
                       {"code", view.failure->code},
                       {"message", view.failure->message},
                       {"help", view.failure->help},
                       {"at", view.failure->at_ms}};
  }
  return json;
}

/// Numbers that only mean something at the moment of the scrape.
void add_derived_samples(const JobView& view, int64_t now_ms, std::vector<MetricSample>& samples) {
  const Labels job{{"job_id", view.job_id}, {"job_name", view.name}};
  samples.push_back({"millrace_job_uptime_seconds", "Time since the job's start in this process.", MetricKind::kGauge,
                     job, static_cast<double>(now_ms - view.started_ms) / 1000.0});
  const double now_s = static_cast<double>(now_ms) / 1000.0;
  const size_t collected = samples.size();
  for (size_t i = 0; i < collected; ++i) {
    const MetricSample watermark = samples[i];
    constexpr double kFarFuture = 1e12;  // the end of input
    if (watermark.name != "millrace_step_watermark_timestamp_seconds" || watermark.value == 0 ||
        watermark.value > kFarFuture) {
      continue;
    }
    samples.push_back({"millrace_step_watermark_lag_seconds", "Wall clock less the step's watermark.",
                       MetricKind::kGauge, watermark.labels, now_s - watermark.value});
  }
}

HttpResponse doctor_response(const HttpRequest& request, const JobView& view, const MetricRegistry& metrics,
                             const JobGraph& graph) {
  const auto step = request.query.find("step");
  const std::string name = step == request.query.end() ? "" : step->second;
  if (!name.empty() && graph.find(name) == nullptr) return json_response(404, {{"error", "no step `" + name + "`"}});
  Json findings = Json::array();
  for (const DoctorFinding& one : diagnose_job(graph, metrics.collect(), view, name, system_clock().wall_ms())) {
    findings.push_back({{"step", one.step}, {"kind", one.kind}, {"text", one.text}, {"help", one.help}});
  }
  return json_response(200, {{"job", view.name}, {"state", job_state_name(view.state)}, {"findings", findings}});
}

HttpResponse answer(const HttpRequest& request, const JobView& view, const MetricRegistry& metrics,
                    const JobGraph& graph) {
  if (request.method != "GET") return json_response(405, {{"error", "only GET is answered here"}});
  if (request.path == "/healthz") return json_response(200, {{"status", "ok"}});
  if (request.path == "/readyz") {
    const bool ready = view.state == JobState::kRunning;
    return json_response(ready ? 200 : 503, {{"status", job_state_name(view.state)}});
  }
  if (request.path == "/metrics") {
    std::vector<MetricSample> samples = metrics.collect();
    collect_process_metrics(samples);
    add_derived_samples(view, system_clock().wall_ms(), samples);
    return {200, "text/plain; version=0.0.4; charset=utf-8", render_metrics(samples)};
  }
  if (request.path == "/api/v1/jobs") return json_response(200, {{"jobs", Json::array({job_json(view)})}});
  if (request.path == "/api/v1/jobs/" + view.job_id || request.path == "/api/v1/jobs/" + view.name) {
    return json_response(200, job_json(view));
  }
  if (request.path == "/api/v1/jobs/" + view.job_id + "/doctor" ||
      request.path == "/api/v1/jobs/" + view.name + "/doctor") {
    return doctor_response(request, view, metrics, graph);
  }
  return json_response(404, {{"error", "nothing at " + request.path}});
}

}  // namespace

HttpServer::Handler job_rest_handler(std::function<JobView()> view, const MetricRegistry& metrics,
                                     std::shared_ptr<const JobGraph> graph) {
  return [view = std::move(view), &metrics, graph = std::move(graph)](const HttpRequest& request) {
    return answer(request, view(), metrics, *graph);
  };
}

}  // namespace millrace
