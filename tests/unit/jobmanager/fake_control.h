// A JobControl of tests: answers what the test put there and remembers what was asked. One thread.
#pragma once

#include <catch2/catch.hpp>
#include <string>
#include <utility>
#include <vector>

#include "core/random.h"
#include "jobmanager/job_control.h"
#include "jobmanager/rest/rest_api.h"
#include "tests/unit/plan/fake_registry.h"

namespace millrace {

inline constexpr std::string_view kFakeJobYaml = R"yaml(version: 1
name: fraud
settings: {parallelism: 2}
sources:
  bids:
    type: kafka
    brokers: b:9092
    topics: [bids]
    format: {type: json}
    schema: {auction: BIGINT, is_dear: BOOLEAN}
steps:
  - {id: dear, filter: is_dear}
  - {id: per_auction, key_by: [auction], aggregate: {bids: COUNT(*)}}
sinks:
  screen: {type: print}
)yaml";
inline constexpr const char* kFakeJobId = "0123456789abcdef0123456789abcdef";
inline constexpr const char* kFakeTrigger = "fedcba9876543210fedcba9876543210";
inline constexpr int64_t kFakeNow = 1'700'000'100'000;

class FakeControl final : public JobControl {
 public:
  FakeControl() {
    const PlannedJob planned = plan_fake(kFakeJobYaml);
    INFO(mistakes_of(planned));
    REQUIRE(planned.ok);
    graph_ = std::make_shared<const JobGraph>(planned.graph);
    JobView view;
    view.job_id = kFakeJobId;
    view.name = "fraud";
    view.state = JobState::kRunning;
    view.started_ms = kFakeNow - 60'000;
    view.tasks = 3;
    view.restored_checkpoint = 3;
    view.checkpoints_completed = 7;
    view.checkpoints_failed = 1;
    view.last_checkpoint_id = 9;
    view.states = {{JobState::kCreated, kFakeNow - 60'000}, {JobState::kRunning, kFakeNow - 59'000}};
    view.recent_checkpoints = {
        {10, CheckpointStatus::kInProgress, false, "", kFakeNow - 100, 0, 0, 0, 3, 1, ""},
        {9, CheckpointStatus::kCompleted, false, "/chk/fraud/chk-9", kFakeNow - 5'000, kFakeNow - 4'900, 4096, 1024, 3,
         3, ""},
        {8, CheckpointStatus::kFailed, false, "", kFakeNow - 9'000, kFakeNow - 8'000, 0, 0, 3, 1, "timeout"},
        {7, CheckpointStatus::kCompleted, true, "/save/7", kFakeNow - 20'000, kFakeNow - 19'000, 100, 100, 3, 3, ""}};
    view.failures = {{"per_auction", "E0502", "division by zero", "on_error: skip", kFakeNow - 30'000}};
    view.failure = view.failures.front();
    for (const TaskId task : {TaskId{0, 0}, TaskId{0, 1}}) view.subtasks.push_back({task, "tm-1", true, false});
    views.push_back(view);
    managers.push_back({"tm-1",
                        "10.0.0.1:40000",
                        "10.0.0.1:40001",
                        "10.0.0.1:40002",
                        "1.0",
                        4,
                        1,
                        kFakeNow - 60'000,
                        kFakeNow - 10,
                        1u << 30,
                        {kFakeJobId}});
  }

  Result<SubmitAnswer> submit(PlannedJob job, SubmitOptions options) override {
    asked.push_back("submit " + job.graph.name + (options.start.fresh ? " fresh" : "") +
                    " parallelism=" + std::to_string(job.graph.settings.parallelism));
    if (job.graph.name == "fraud") {
      return make_error(ErrorCode::kRefusedByState, "another file runs as `fraud`", "");
    }
    return SubmitAnswer{std::string(32, 'a'), job.graph.name == "same"};
  }
  std::vector<JobView> jobs() const override { return views; }
  std::optional<JobView> job(const std::string& id_or_name) const override {
    for (const JobView& one : views) {
      if (one.job_id == id_or_name || one.name == id_or_name) return one;
    }
    return std::nullopt;
  }
  std::shared_ptr<const JobGraph> graph(const std::string&) const override { return graph_; }
  std::string spec(const std::string&) const override { return std::string(kFakeJobYaml); }
  Status cancel(const std::string& job_id, bool now) override {
    asked.push_back("cancel " + job_id + (now ? " now" : ""));
    if (is_terminal(job(job_id)->state)) return make_error(ErrorCode::kRefusedByState, "it has ended");
    return {};
  }
  Result<std::string> stop(const std::string&, const StopRequest& request) override {
    asked.push_back("stop " + request.directory + " " + request.trigger_id + (request.drain ? " drain" : "") +
                    (request.savepoint ? " savepoint" : ""));
    return kFakeTrigger;
  }
  Result<std::string> savepoint(const std::string&, const SavepointRequest& request) override {
    asked.push_back("savepoint " + request.directory + " " + request.trigger_id);
    return kFakeTrigger;
  }
  Result<std::string> checkpoint(const std::string&) override {
    asked.emplace_back("checkpoint");
    return kFakeTrigger;
  }
  Result<std::string> rescale(const std::string&, uint32_t parallelism) override {
    asked.push_back("rescale " + std::to_string(parallelism));
    return kFakeTrigger;
  }
  Result<std::string> upgrade(const std::string& job_id, PlannedJob job, bool allow) override {
    asked.push_back("upgrade " + job_id + " " + job.graph.name + (allow ? " allow" : ""));
    return kFakeTrigger;
  }
  std::optional<OperationView> operation(const std::string&, const std::string& trigger_id) const override {
    if (trigger_id != operation_view.trigger_id) return std::nullopt;
    return operation_view;
  }
  std::vector<TaskManagerView> task_managers() const override { return managers; }
  std::vector<MetricSample> samples(const std::string&) const override { return series; }
  std::vector<MetricSample> own_samples() const override {
    std::vector<MetricSample> all = series;
    all.push_back({"millrace_taskmanager_slots", "", MetricKind::kGauge, {{"state", "free"}}, 1});
    all.push_back({"millrace_taskmanager_slots", "", MetricKind::kGauge, {{"state", "used"}}, 3});
    return all;
  }

  void put(const std::string& name, const std::string& step, uint32_t subtask, double value, Labels more = {}) {
    Labels labels{{"job_id", kFakeJobId}, {"job_name", "fraud"}, {"step", step}, {"subtask", std::to_string(subtask)}};
    labels.insert(labels.end(), more.begin(), more.end());
    series.push_back({name, "", MetricKind::kCounter, std::move(labels), value});
  }

  std::vector<JobView> views;
  std::vector<TaskManagerView> managers;
  std::vector<MetricSample> series;
  std::vector<std::string> asked;
  OperationView operation_view{kFakeTrigger, OperationKind::kSavepoint, false, "", {}};

 private:
  std::shared_ptr<const JobGraph> graph_;
};

/// The REST interface over a FakeControl, without sockets.
struct FakeRest {
  FakeRest() {
    RestConfig config;
    config.control = &control;
    config.registry = &registry;
    config.clock = &clock;
    config.environment = [](const std::string&) { return std::optional<std::string>(); };
    config.version = "1.0";
    config.settings = {{"rest.port", "8081"}};
    handler = rest_handler(config);
  }
  HttpResponse call(const std::string& method, const std::string& target, const std::string& body = {},
                    std::map<std::string, std::string> headers = {{"host", "localhost:8081"}}) {
    HttpRequest request;
    request.method = method;
    REQUIRE(parse_target(target, request.path, request.query));
    request.headers = std::move(headers);
    request.body = body;
    return handler(request);
  }

  PlanRegistry registry = fake_registry();
  ManualClock clock{kFakeNow};
  FakeControl control;
  HttpServer::Handler handler;
};

}  // namespace millrace
