#include "cli/task_manager_page.h"

#include "core/clock.h"
#include "http/metrics_page.h"
#include "jobmanager/rest/flink_names.h"
#include "jobmanager/rest/responses.h"

namespace millrace {

HttpResponse TaskManagerPage::metrics_page(const HttpRequest& request) {
  const auto names = request.query.find("names");
  const bool flink = names != request.query.end() && names->second == "flink";
  if (names != request.query.end() && !flink) return rest_error(400, "there are no names `" + names->second + "`");
  const int64_t now_ms = system_clock().wall_ms();
  std::vector<MetricSample> samples = metrics->collect();
  collect_process_metrics(samples);
  add_watermark_lag(samples, now_ms);
  samples.push_back({"millrace_build_info", "1; the version is the label.", MetricKind::kGauge,
                     {{"version", MILLRACE_VERSION}}, 1});
  if (flink) samples = flink_named(samples, {true, id, {}, now_ms}, rates);
  return {200, "text/plain; version=0.0.4; charset=utf-8", render_metrics(samples)};
}

HttpResponse TaskManagerPage::answer(const HttpRequest& request, bool registered) {
  if (request.method != "GET" && request.method != "HEAD") return rest_error(405, "only GET is answered here");
  if (request.path == "/healthz") return {200, "application/json", R"({"status":"ok"})"};
  if (request.path == "/readyz") {
    return {registered ? 200 : 503, "application/json",
            registered ? R"({"status":"registered"})" : R"({"status":"no job manager"})"};
  }
  if (request.path == "/metrics") return metrics_page(request);
  return rest_error(404, "nothing at " + request.path);
}

}  // namespace millrace
