#include <catch2/catch.hpp>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <set>

#include "core/file_system.h"
#include "jobmanager/rest/flink_names.h"
#include "tests/unit/jobmanager/fake_control.h"

namespace millrace {
namespace {

using GoldenJson = nlohmann::ordered_json;

/// One line per field: its path and type; the elements of a list share theirs.
void shape_of(const GoldenJson& value, const std::string& path, std::set<std::string>& lines) {
  if (value.is_object()) {
    if (value.empty()) lines.insert(path + ": {}");
    for (const auto& [name, member] : value.items()) shape_of(member, path + "/" + name, lines);
  } else if (value.is_array()) {
    if (value.empty()) lines.insert(path + ": []");
    for (const auto& item : value) shape_of(item, path + "[]", lines);
  } else {
    const bool whole = value.is_number_integer();
    lines.insert(path + ": " + (whole ? "integer" : value.type_name()));
  }
}

std::string shape_text(const std::string& body) {
  std::set<std::string> lines;
  shape_of(GoldenJson::parse(body), "", lines);
  std::string out;
  for (const std::string& line : lines) out += line + "\n";
  return out;
}

/// Field names and types of an answer against tests/unit/jobmanager/golden/<name>.txt; with MILLRACE_UPDATE_GOLDEN set
/// the file is written instead.
void check_golden(const std::string& name, const HttpResponse& response) {
  INFO(name << ": " << response.body);
  REQUIRE(response.status == 200);
  const std::string path = std::string(MILLRACE_SOURCE) + "/tests/unit/jobmanager/golden/" + name + ".txt";
  const std::string shape = shape_text(response.body);
  if (std::getenv("MILLRACE_UPDATE_GOLDEN") != nullptr) REQUIRE(write_file_durably(local_file_system(), path, shape));
  const auto golden = local_file_system().read_all(path);
  REQUIRE(golden);
  CHECK(shape == *golden);
}

GoldenJson flink_body(const HttpResponse& response, int status = 200) {
  INFO(response.body);
  CHECK(response.status == status);
  return GoldenJson::parse(response.body);
}

void put_numbers(FakeControl& control) {
  for (const uint32_t subtask : {0u, 1u}) {
    control.put("millrace_step_records_in_total", "bids", subtask, 500);
    control.put("millrace_step_records_out_total", "dear", subtask, 120);
    control.put("millrace_step_records_in_total", "per_auction", subtask, 120);
    control.put("millrace_step_watermark_timestamp_seconds", "per_auction", subtask, 1'700'000'000);
    control.put("millrace_step_time_seconds_total", "per_auction", subtask, 36, {{"state", "backpressured"}});
  }
}

}  // namespace

TEST_CASE("Flink's answers have Flink's field names and types") {
  FakeRest rest;
  put_numbers(rest.control);
  const std::string job = std::string("/jobs/") + kFakeJobId;
  const std::string vertex = job + "/vertices/" + flink_vertex_id("per_auction");
  const std::pair<const char*, std::string> all[] = {
      {"overview", "/overview"},
      {"config", "/config"},
      {"jobs", "/jobs"},
      {"jobs_overview", "/jobs/overview"},
      {"job", job},
      {"job_plan", job + "/plan"},
      {"job_config", job + "/config"},
      {"job_status", job + "/status"},
      {"job_exceptions", job + "/exceptions"},
      {"job_metrics", job + "/metrics?get=uptime,numRestarts"},
      {"job_checkpoints", job + "/checkpoints"},
      {"job_checkpoints_config", job + "/checkpoints/config"},
      {"job_checkpoint", job + "/checkpoints/details/9"},
      {"job_vertex", vertex},
      {"job_vertex_backpressure", vertex + "/backpressure"},
      {"job_vertex_watermarks", vertex + "/watermarks"},
      {"job_vertex_subtask_metrics", vertex + "/subtasks/metrics?get=numRecordsIn&agg=min,max"},
      {"jobmanager_config", "/jobmanager/config"},
      {"jobmanager_metrics", "/jobmanager/metrics"},
      {"taskmanagers", "/taskmanagers"},
      {"taskmanager", "/taskmanagers/tm-1"},
      {"taskmanagers_metrics", "/taskmanagers/metrics?get=Status.JVM.Memory.Heap.Used"},
  };
  for (const auto& [name, target] : all) {
    check_golden(name, rest.call("GET", target));
    CHECK(rest.call("GET", "/v1" + target).body == rest.call("GET", target).body);
  }
}

TEST_CASE("vertices are chains with the numbers of their ends") {
  FakeRest rest;
  put_numbers(rest.control);
  const GoldenJson job = flink_body(rest.call("GET", std::string("/jobs/") + kFakeJobId));
  const GoldenJson& first = job["vertices"][0];
  CHECK(first["name"] == "Source: bids -> dear");
  CHECK(first["metrics"]["write-records"] == 240);
  CHECK(first["metrics"]["read-records"] == 0);
  CHECK(first["tasks"]["RUNNING"] == 2);
  const GoldenJson& second = job["vertices"][1];
  CHECK(second["metrics"]["read-records"] == 240);
  CHECK(job["plan"]["nodes"][1]["inputs"][0]["id"] == first["id"]);
  CHECK(job["plan"]["nodes"][1]["inputs"][0]["ship_strategy"] == "HASH");
}

TEST_CASE("back pressure has Flink's levels, watermarks its milliseconds") {
  FakeRest rest;
  put_numbers(rest.control);
  const std::string vertex = std::string("/jobs/") + kFakeJobId + "/vertices/" + flink_vertex_id("per_auction");
  CHECK(flink_body(rest.call("GET", vertex + "/backpressure"))["backpressure-level"] == "high");
  CHECK(flink_body(rest.call("GET", vertex + "/watermarks"))[0]["value"] == "1700000000000");
}

TEST_CASE("Flink's verbs: the wished trigger id, the directory, drain") {
  FakeRest rest;
  const std::string job = std::string("/v1/jobs/") + kFakeJobId;
  const std::string wished(32, 'c');
  const std::string saved =
      R"({"target-directory":"/s","cancel-job":false,"formatType":"CANONICAL","triggerId":")" + wished + R"("})";
  CHECK(flink_body(rest.call("POST", job + "/savepoints", saved), 202)["request-id"] == kFakeTrigger);
  CHECK(flink_body(rest.call("POST", job + "/savepoints", R"({"cancel-job":true})"), 202).contains("request-id"));
  CHECK(flink_body(rest.call("POST", job + "/stop", R"({"targetDirectory":"/t","drain":true})"), 202)
            .contains("request-id"));
  CHECK(rest.call("PATCH", job + "?mode=cancel").status == 202);
  CHECK(rest.control.asked == std::vector<std::string>{"savepoint /s " + wished, "stop   savepoint",
                                                       "stop /t  drain savepoint",
                                                       std::string("cancel ") + kFakeJobId});
  CHECK(flink_body(rest.call("POST", job + "/savepoints", "[]"), 400).contains("errors"));
  CHECK(flink_body(rest.call("POST", job + "/savepoints", R"({"triggerId":"../x"})"), 400).contains("errors"));
}

TEST_CASE("polling an operation tells where the savepoint is, or why it failed") {
  FakeRest rest;
  const std::string poll = std::string("/v1/jobs/") + kFakeJobId + "/savepoints/" + kFakeTrigger;
  CHECK(flink_body(rest.call("GET", poll))["status"]["id"] == "IN_PROGRESS");
  rest.control.operation_view.done = true;
  rest.control.operation_view.path = "/s/savepoint-1";
  CHECK(flink_body(rest.call("GET", poll))["operation"]["location"] == "/s/savepoint-1");
  rest.control.operation_view.failure = JobFailure{"", "E0504", "no space left", "", 0};
  CHECK(flink_body(rest.call("GET", poll))["operation"]["failure-cause"]["stack-trace"] == "E0504: no space left");
  CHECK(rest.call("GET", std::string("/v1/jobs/") + kFakeJobId + "/savepoints/" + std::string(32, '0')).status == 404);
}

TEST_CASE("Flink's paths take ids only, and refuse everything else in JSON") {
  FakeRest rest;
  CHECK(flink_body(rest.call("GET", "/jobs/fraud"), 400)["errors"][0].get<std::string>().find("jobid") !=
        std::string::npos);
  CHECK(rest.call("GET", "/jobs/" + std::string(32, '0')).status == 404);
  CHECK(rest.call("GET", std::string("/jobs/") + kFakeJobId + "/vertices/x").status == 400);
}

TEST_CASE("the page of Flink's names has names that dashboards ask for") {
  FakeRest rest;
  put_numbers(rest.control);
  rest.control.put("millrace_source_lag_records", "bids", 0, 7, {{"topic", "bids"}, {"partition", "0"}});
  const std::string page = rest.call("GET", "/metrics?names=flink").body;
  std::set<std::string> names;
  for (size_t at = 0; (at = page.find("# TYPE ", at)) != std::string::npos; ++at) {
    names.insert(page.substr(at + 7, page.find(' ', at + 7) - at - 7));
    CHECK(page.substr(page.find(' ', at + 7) + 1, 5) == "gauge");
  }
  for (const char* name :
       {"flink_jobmanager_numRunningJobs", "flink_jobmanager_taskSlotsAvailable", "flink_jobmanager_job_uptime",
        "flink_jobmanager_job_lastCheckpointDuration", "flink_jobmanager_job_numberOfFailedCheckpoints",
        "flink_jobmanager_job_numRestarts", "flink_taskmanager_job_task_busyTimeMsPerSecond",
        "flink_taskmanager_job_task_operator_currentInputWatermark", "flink_taskmanager_job_task_numRecordsInPerSecond",
        "flink_taskmanager_job_task_operator_pendingRecords"}) {
    INFO(name);
    CHECK(names.contains(name));
  }
  CHECK(names.size() >= 40);
  CHECK(page.find("taskSlotsTotal 4\n") != std::string::npos);
}

}  // namespace millrace
