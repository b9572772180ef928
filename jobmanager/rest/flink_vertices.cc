// Flink's API: one vertex (a chain) with its subtasks, back pressure, watermarks and metrics.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "jobmanager/rest/flink_metrics.h"
#include "jobmanager/rest/flink_model.h"
#include "jobmanager/rest/responses.h"
#include "jobmanager/rest/routes.h"

namespace millrace {

namespace {

using VertexJson = nlohmann::ordered_json;

HttpResponse vertex_answer(const VertexJson& body) {
  return {200, "application/json", body.dump(-1, ' ', false, VertexJson::error_handler_t::replace)};
}

/// Calls `write(job, vertex)` when both exist.
template <class Write>
HttpResponse with_vertex(const RestCall& call, Write write) {
  const auto job = flink_job(call);
  if (!job) return job.error();
  const std::string id = call.segment("vertex");
  if (!is_hex_id(id)) return rest_error(400, "Cannot resolve path parameter (vertexid) from value \"" + id + "\".");
  const FlinkVertex* vertex = flink_vertex(*job, call);
  if (vertex == nullptr) return rest_error(404, "JobVertex " + id + " not found");
  return write(*job, *vertex);
}

VertexJson subtask_json(const FlinkJob& job, const FlinkVertex& vertex, const FlinkSubtask& one) {
  const auto whole = [](double value) { return static_cast<int64_t>(value); };
  return {{"subtask", one.index},
          {"status", one.state},
          {"attempt", 0},
          {"endpoint", one.endpoint},
          {"start-time", job.view.started_ms},
          {"end-time", job.end_ms()},
          {"duration", job.duration_ms()},
          {"metrics",
           {{"read-bytes", vertex.source ? 0 : whole(one.bytes_in)},
            {"read-bytes-complete", true},
            {"write-bytes", 0},
            {"write-bytes-complete", true},
            {"read-records", vertex.source ? 0 : whole(one.records_in)},
            {"read-records-complete", true},
            {"write-records", whole(one.records_out)},
            {"write-records-complete", true},
            {"accumulated-backpressured-time", whole(one.head.backpressured_seconds * 1000)},
            {"accumulated-idle-time", whole(one.head.idle_seconds * 1000)},
            {"accumulated-busy-time", one.head.busy_seconds * 1000}}},
          {"taskmanager-id", one.task_manager},
          {"status-duration", VertexJson::object()},
          {"other-concurrent-attempts", nullptr},
          {"start_time", job.view.started_ms}};
}

HttpResponse vertex_details(const RestCall& call) {
  return with_vertex(call, [](const FlinkJob& job, const FlinkVertex& vertex) {
    VertexJson subtasks = VertexJson::array();
    for (const FlinkSubtask& one : vertex.subtasks) subtasks.push_back(subtask_json(job, vertex, one));
    return vertex_answer({{"id", vertex.id},
                          {"name", vertex.name},
                          {"parallelism", vertex.parallelism},
                          {"maxParallelism", job.graph->settings.max_parallelism},
                          {"now", job.now_ms},
                          {"aggregated", VertexJson::object()},
                          {"subtasks", subtasks}});
  });
}

/// Flink's levels: ok ≤ 0.10 < low ≤ 0.50 < high.
std::string_view pressure_level(double ratio) {
  constexpr double kLow = 0.1;
  constexpr double kHigh = 0.5;
  if (ratio <= kLow) return "ok";
  return ratio <= kHigh ? "low" : "high";
}

HttpResponse vertex_backpressure(const RestCall& call) {
  return with_vertex(call, [](const FlinkJob& job, const FlinkVertex& vertex) {
    double worst = 0;
    VertexJson subtasks = VertexJson::array();
    for (const FlinkSubtask& one : vertex.subtasks) {
      worst = std::max(worst, one.rates.backpressured);
      const std::string_view level = pressure_level(one.rates.backpressured);
      subtasks.push_back({{"subtask", one.index},
                          {"attempt-number", 0},
                          {"backpressure-level", level},
                          {"backpressureLevel", level},
                          {"ratio", one.rates.backpressured},
                          {"idleRatio", one.rates.idle},
                          {"busyRatio", one.rates.busy},
                          {"other-concurrent-attempts", nullptr}});
    }
    return vertex_answer({{"status", "ok"},
                          {"backpressure-level", pressure_level(worst)},
                          {"backpressureLevel", pressure_level(worst)},
                          {"end-timestamp", job.now_ms},
                          {"subtasks", subtasks}});
  });
}

/// Milliseconds; Flink's Long.MIN_VALUE before the first, Long.MAX_VALUE at the end of input.
std::string watermark_text(double seconds) {
  constexpr double kEndOfInput = 1e12;
  if (seconds == 0) return "-9223372036854775808";
  if (seconds > kEndOfInput) return "9223372036854775807";
  return flink_number(seconds * 1000);
}

HttpResponse vertex_watermarks(const RestCall& call) {
  return with_vertex(call, [](const FlinkJob&, const FlinkVertex& vertex) {
    VertexJson all = VertexJson::array();
    if (vertex.source) return vertex_answer(all);  // Flink tells inputs only
    for (const FlinkSubtask& one : vertex.subtasks) {
      all.push_back({{"id", fmt::format("{}.currentInputWatermark", one.index)},
                     {"value", watermark_text(one.head.watermark_seconds)}});
    }
    return vertex_answer(all);
  });
}

void add_subtask_metrics(const FlinkVertex& vertex, const FlinkSubtask& one, const std::string& prefix,
                         FlinkMetricList& list) {
  list.add(prefix + "busyTimeMsPerSecond", one.rates.busy * 1000);
  list.add(prefix + "idleTimeMsPerSecond", one.rates.idle * 1000);
  list.add(prefix + "backPressuredTimeMsPerSecond", one.rates.backpressured * 1000);
  list.add(prefix + "numRecordsIn", vertex.source ? 0 : one.records_in);
  list.add(prefix + "numRecordsOut", one.records_out);
  list.add(prefix + "numRecordsInPerSecond", vertex.source ? 0 : one.rates.records_in);
  list.add(prefix + "numRecordsOutPerSecond", one.records_out_rate);
  list.add(prefix + "numBytesIn", one.bytes_in);
  list.add(prefix + "buffers.inPoolUsage", one.head.queue_usage);
  if (!vertex.source) return;
  // The autoscaler reads what a source took under the operator's name, which begins with Source__.
  std::string name = "Source__" + vertex.name.substr(std::string_view("Source: ").size());
  name = prefix + name.substr(0, name.find(' ')) + ".";
  list.add(name + "numRecordsIn", one.records_in);
  list.add(name + "numRecordsInPerSecond", one.rates.records_in);
  list.add(name + "numRecordsOut", one.records_out);
  list.add(name + "pendingRecords", one.pending);
}

HttpResponse vertex_metrics(const RestCall& call) {
  return with_vertex(call, [&](const FlinkJob&, const FlinkVertex& vertex) {
    FlinkMetricList list;
    for (const FlinkSubtask& one : vertex.subtasks) {
      add_subtask_metrics(vertex, one, fmt::format("{}.", one.index), list);
    }
    return list.answer(call);
  });
}

HttpResponse vertex_subtask_metrics(const RestCall& call) {
  return with_vertex(call, [&](const FlinkJob&, const FlinkVertex& vertex) {
    FlinkMetricList list;
    for (const FlinkSubtask& one : vertex.subtasks) add_subtask_metrics(vertex, one, "", list);
    return list.answer(call, true);
  });
}

}  // namespace

std::vector<Route> flink_vertex_routes(const std::string& prefix) {
  const std::string vertex = prefix + "/jobs/:job/vertices/:vertex";
  return {
      {"GET", vertex, "Flink: subtasks of a vertex", vertex_details},
      {"GET", vertex + "/backpressure", "Flink: back pressure of a vertex", vertex_backpressure},
      {"GET", vertex + "/watermarks", "Flink: watermarks of a vertex", vertex_watermarks},
      {"GET", vertex + "/metrics", "Flink: metrics by subtask", vertex_metrics, {"get"}},
      {"GET",
       vertex + "/subtasks/metrics",
       "Flink: metrics over all subtasks",
       vertex_subtask_metrics,
       {"get", "agg", "subtasks"}},
  };
}

}  // namespace millrace
