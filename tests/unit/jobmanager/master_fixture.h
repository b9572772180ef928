// A JobMaster driven by hand: a manual clock, a recorded link, slots that can be few.
#pragma once

#include <catch2/catch.hpp>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/log.h"
#include "jobmanager/job_master.h"

namespace millrace {

/// Keeps what the job manager sends.
class RecordedLink final : public TaskManagerLink {
 public:
  void send(ToTaskManager message) override { sent.push_back(std::move(message)); }
  template <class M>
  std::vector<M> of() const {
    std::vector<M> found;
    for (const ToTaskManager& message : sent) {
      if (const M* m = std::get_if<M>(&message)) found.push_back(*m);
    }
    return found;
  }
  std::vector<ToTaskManager> sent;
};

/// Slots on one or more task managers, dealt out in turn.
class FewSlots final : public SlotPool {
 public:
  explicit FewSlots(TaskManagerLink& link) : link_(link) {}
  std::optional<SlotAllocation> allocate(const std::string&, uint32_t slots) override {
    if (slots > available) return std::nullopt;
    SlotAllocation allocation;
    for (uint32_t m = 0; m < members; ++m) allocation.members.push_back({"tm" + std::to_string(m), "host:1"});
    for (uint32_t slot = 0; slot < slots; ++slot) allocation.slots.push_back(slot % members);
    return allocation;
  }
  void release(const std::string&) override {}
  std::string shortage(uint32_t slots) const override {
    return "needs " + std::to_string(slots) + " slots, " + std::to_string(available) + " is there";
  }
  void send(const std::string&, ToTaskManager message) override { link_.send(std::move(message)); }

  uint32_t available = 100;
  uint32_t members = 1;

 private:
  TaskManagerLink& link_;
};

/// A job of three tasks (two of a source, one of a sink), driven by hand.
struct MasterFixture {
  MasterFixture() {
    set_log_level(LogLevel::kOff);
    root = std::filesystem::temp_directory_path() / ("millrace-master-" + std::to_string(system_random().next()));
    auto made = std::make_shared<JobGraph>();
    made->name = "job";
    made->settings.checkpoint.interval_ms = 1000;
    made->settings.checkpoint.timeout_ms = 5000;
    made->settings.checkpoint.tolerable_failures = 1;
    Node source;
    source.kind = NodeKind::kSource;
    source.id = "in";
    source.outputs.emplace_back();
    source.parallelism = 2;
    Node sink;
    sink.kind = NodeKind::kSink;
    sink.id = "out";
    sink.inputs.push_back({.node = 0, .port = 0, .partitioning = Partitioning::kRebalance, .key_columns = {}});
    made->nodes = {source, sink};
    graph = made;
  }
  ~MasterFixture() {
    master.reset();
    std::filesystem::remove_all(root);
  }
  void sink_settles() {
    auto changed = std::make_shared<JobGraph>(*graph);
    auto sink = std::make_shared<SinkConfig>();
    sink->delivery = Delivery::kExactlyOnce;
    changed->nodes[1].sink = sink;
    graph = changed;
  }
  void start(StartRequest request = {}) {
    master.reset();
    auto with_restart = std::make_shared<JobGraph>(*graph);
    with_restart->settings.restart = {
        .strategy = RestartSettings::Strategy::kFixed, .attempts = restart_attempts, .delay_ms = 50};
    graph = with_restart;
    link.sent.clear();
    JobMasterConfig config;
    config.graph = graph;
    config.spec_yaml = "name: job";
    config.checkpoint_root = root.string();
    config.options.start = std::move(request);
    config.clock = &clock;
    config.fs = &local_file_system();
    config.random = &random;
    config.slots = &slots;
    master.emplace(std::move(config));
    const Status started = master->start();
    INFO((started ? "" : started.error().message));
    REQUIRE(started.has_value());
  }
  DeployJob deployed() const { return link.of<DeployJob>().back(); }
  std::string job_id() const { return deployed().job_id; }
  int64_t attempt() const { return deployed().attempt; }
  void tasks_run() {
    for (const TaskId task : tasks) master->handle(TaskRunning{job_id(), attempt(), task});
  }
  int64_t triggered() const { return link.of<TriggerCheckpoint>().back().checkpoint_id; }
  void acknowledge(int64_t id) {
    for (const TaskId task : tasks) master->handle(SnapshotTaken{job_id(), attempt(), id, {task, "", 0, 0, {}}, false});
  }
  void fail_task(const char* code) {
    master->handle(TaskFailed{job_id(), attempt(), tasks[0], "in", code, "broken", ""});
  }
  ReplaceOrder with_parallelism(const std::string& trigger_id, uint32_t parallelism, uint32_t max_parallelism = 0) {
    auto changed = std::make_shared<JobGraph>(*graph);
    changed->nodes[0].parallelism = parallelism;
    if (max_parallelism != 0) changed->settings.max_parallelism = max_parallelism;
    return {.trigger_id = trigger_id,
            .kind = OperationKind::kRescale,
            .graph = changed,
            .spec_yaml = "name: job # " + std::to_string(parallelism)};
  }
  void cancelled() { master->handle(JobCancelled{job_id(), attempt()}, "tm0"); }
  void pass_ms(int64_t ms) {
    clock.advance_ms(ms);
    master->on_time();
  }

  std::filesystem::path root;
  std::shared_ptr<const JobGraph> graph;
  ManualClock clock{1'000'000};
  SeededRandom random{1};
  RecordedLink link;
  FewSlots slots{link};
  int64_t restart_attempts = 1;
  std::optional<JobMaster> master;
  std::vector<TaskId> tasks{{0, 0}, {0, 1}, {1, 0}};
};

}  // namespace millrace
