#include <catch2/catch.hpp>
#include <condition_variable>
#include <mutex>
#include <set>

#include "connectors/blackhole/register.h"
#include "connectors/datagen/register.h"
#include "core/simulated_file_system.h"
#include "functions/aggregates/register.h"
#include "functions/register_all.h"
#include "runtime/operators/register_all.h"
#include "state/checkpoint_store.h"
#include "taskmanager/task_manager.h"
#include "tests/unit/taskmanager/network_support.h"

namespace millrace {

namespace {

Registry real_registry() {
  Registry registry;
  register_all_functions(registry.plan.functions);
  register_aggregates(registry.plan.functions);
  register_operators(registry);
  register_datagen(registry);
  register_blackhole(registry);
  return registry;
}

std::string job_yaml(const std::string& source_options) {
  return "version: 1\nname: members\nsettings: {parallelism: 3}\n"
         "sources:\n  numbers:\n    type: datagen\n    " +
         source_options +
         "\n    schema: {n: \"BIGINT SEQUENCE(0, 29999)\", key: BIGINT AS n % 97}\n"
         "steps:\n  - {id: per_key, key_by: [key], aggregate: {amount: COUNT(*), total: SUM(n)}}\n"
         "sinks: {out: {type: blackhole}}\n";
}

/// The last row of each key, from all members.
class Results {
 public:
  void add(const Batch& batch) {
    const std::lock_guard lock(mutex_);
    for_each_row(batch, [&](uint32_t row) {
      const auto value = [&](size_t column) { return batch.columns[column]->values<int64_t>()[row]; };
      if (batch.kind(row) == RowKind::kInsert || batch.kind(row) == RowKind::kUpdateAfter) {
        rows_[value(0)] = {value(1), value(2)};
      }
    });
  }
  std::map<int64_t, std::pair<int64_t, int64_t>> rows() {
    const std::lock_guard lock(mutex_);
    return rows_;
  }

 private:
  std::mutex mutex_;
  std::map<int64_t, std::pair<int64_t, int64_t>> rows_;
};

class ResultSink final : public SinkWriter {
 public:
  explicit ResultSink(Results& results) : results_(results) {}
  Status open(SinkContext&) override { return {}; }
  Result<Flow> write(const Batch& batch, Output&) override {
    results_.add(batch);
    return Flow::kNeedInput;
  }

 private:
  Results& results_;
};

/// Stands for the job manager: keeps what the members report.
class Reports final : public JobManagerLink {
 public:
  void send(ToJobManager message) override {
    const std::lock_guard lock(mutex_);
    if (const auto* finished = std::get_if<TaskFinished>(&message)) finished_.insert(finished->task);
    if (const auto* taken = std::get_if<SnapshotTaken>(&message)) taken_.insert(taken->handle.task);
    if (const auto* failed = std::get_if<TaskFailed>(&message)) failures_.push_back(*failed);
    changed_.notify_all();
  }
  size_t finished() const { return finished_.size(); }
  size_t taken() const { return taken_.size(); }
  const std::vector<TaskFailed>& failures() const { return failures_; }
  void wait(const std::function<bool()>& done) {
    std::unique_lock lock(mutex_);
    MR_CHECK(changed_.wait_for(lock, std::chrono::seconds(60), done), "the members did not report");
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::set<TaskId> finished_;
  std::set<TaskId> taken_;
  std::vector<TaskFailed> failures_;
};

/// Task managers in one process, with a data port each.
struct Members {
  explicit Members(uint32_t count, bool sees_storage = true) : network(count) {
    if (sees_storage) {
      REQUIRE(disk.create_directories("/jobs/members").has_value());
      REQUIRE(write_file_durably(disk, job_record_path("/jobs/members", 1), "{}").has_value());
    }
    for (uint32_t i = 0; i < count; ++i) {
      TaskManagerConfig config;
      config.registry = &registry;
      config.clock = &system_clock();
      config.fs = &disk;
      config.network = network.networks[i].get();
      config.wrap_sink = [this](const Node&, SinkWriterPtr) { return std::make_unique<ResultSink>(results); };
      managers.push_back(std::make_unique<TaskManager>(config, reports));
    }
  }
  void deploy(const std::string& yaml, const std::vector<uint32_t>& slots) {
    for (uint32_t i = 0; i < managers.size(); ++i) {
      DeployJob deploy;
      deploy.job_id = "0123456789abcdef0123456789abcdef";
      deploy.attempt = 1;
      deploy.spec_yaml = yaml;
      deploy.job_directory = "/jobs/members";
      deploy.members = network.addresses;
      deploy.slots = slots;
      deploy.member = i;
      managers[i]->receive(deploy);
    }
  }
  void trigger_checkpoint(int64_t id) {
    for (const auto& manager : managers) manager->receive(TriggerCheckpoint{"0123456789abcdef0123456789abcdef", 1, id});
  }

  Registry registry = real_registry();
  SimulatedFileSystem disk;
  Results results;
  Reports reports;
  NetworkCluster network;
  std::vector<std::unique_ptr<TaskManager>> managers;
};

constexpr size_t kTasks = 6;  // source and aggregation, three subtasks each

}  // namespace

TEST_CASE("Three task managers run one job together: every row is counted, and a checkpoint gets all snapshots") {
  Members members(3);
  members.deploy(job_yaml("rows: 30000"), {0, 1, 2});
  members.reports.wait([&] { return members.reports.finished() == kTasks || !members.reports.failures().empty(); });
  members.trigger_checkpoint(1);
  members.reports.wait([&] { return members.reports.taken() == kTasks || !members.reports.failures().empty(); });
  REQUIRE(members.reports.failures().empty());
  const auto rows = members.results.rows();
  REQUIRE(rows.size() == 97);
  int64_t amount = 0;
  int64_t total = 0;
  for (const auto& [key, row] : rows) {
    amount += row.first;
    total += row.second;
  }
  REQUIRE(amount == 30'000);
  REQUIRE(total == 29'999LL * 30'000 / 2);
}

TEST_CASE("When a task manager dies the others report the job as failed, with a transient error that names it") {
  Members members(3);
  members.deploy(job_yaml("rows_per_second: 30000"), {0, 1, 2});
  members.trigger_checkpoint(1);
  members.reports.wait([&] { return members.reports.taken() == kTasks || !members.reports.failures().empty(); });
  REQUIRE(members.reports.failures().empty());
  members.managers[2].reset();
  members.network.networks[2].reset();
  members.reports.wait([&] { return members.reports.failures().size() >= 2; });
  for (const TaskFailed& failed : members.reports.failures()) {
    REQUIRE(failed.error_code == "E0510");
    REQUIRE(failed.message.find("task manager `tm2`") != std::string::npos);
  }
}

TEST_CASE("A task manager that does not see the job's directory runs nothing") {
  Members members(1, false);
  members.deploy(job_yaml("rows: 10"), {0, 0, 0});
  members.reports.wait([&] { return !members.reports.failures().empty(); });
  REQUIRE(members.reports.failures()[0].message == "this task manager does not see the job's directory /jobs/members");
  REQUIRE(members.reports.failures()[0].error_code == "E0403");
}

TEST_CASE("A deployment over several members on a task manager without a data port is refused") {
  Members members(2);
  TaskManagerConfig config;
  config.registry = &members.registry;
  config.clock = &system_clock();
  config.fs = &members.disk;
  members.managers[0] = std::make_unique<TaskManager>(config, members.reports);
  members.managers.pop_back();
  members.deploy(job_yaml("rows: 10"), {0, 1, 0});
  members.reports.wait([&] { return !members.reports.failures().empty(); });
  REQUIRE(members.reports.failures()[0].message ==
          "this task manager has no data port, and the job has several members");
}

}  // namespace millrace
