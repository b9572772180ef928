#include "jobmanager/job_thread.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <filesystem>
#include <mutex>
#include <set>

#include "cli/local_cluster.h"
#include "core/log.h"
#include "functions/aggregates/register.h"
#include "functions/register_all.h"
#include "runtime/operators/register_all.h"

namespace millrace {

namespace {

constexpr int64_t kRowsPerSplit = 400;
constexpr uint32_t kSplits = 4;
constexpr int64_t kKeys = 13;

/// What the test and its connectors share.
struct ClusterStage {
  std::atomic<int64_t> rows_allowed{0};  // per split
  std::atomic<bool> fail_next_poll{false};
  std::mutex mutex;
  std::set<std::string> rows;  // of the sink: "user window count"; repetitions after a restart fall together
};

/// Rows (user, t) of four splits; row i of split s is user (i + s) % kKeys at time 10 * i.
class StagedReader final : public SourceReader {
 public:
  explicit StagedReader(ClusterStage& stage) : stage_(stage) {}
  Status open(SourceContext& context) override {
    clock_ = context.clock;
    for (uint32_t s = context.subtask; s < kSplits; s += context.parallelism) {
      splits_.push_back({s, 0});
      for (const SplitState& saved : context.splits) {
        if (saved.split == std::to_string(s)) splits_.back().second = std::stoll(saved.state);
      }
    }
    return {};
  }
  Result<PollResult> poll(uint32_t, SourceChunk& chunk) override {
    if (stage_.fail_next_poll.exchange(false)) return make_error(ErrorCode::kUnreachable, "the broker went away");
    bool all_done = true;
    for (size_t i = 0; i < splits_.size(); ++i) {
      auto& [number, next] = splits_[i];
      const int64_t end = std::min({kRowsPerSplit, stage_.rows_allowed.load(), next + 9});
      all_done = all_done && next == kRowsPerSplit;
      if (next >= end) continue;
      fill(chunk, number, next, end);
      chunk.split = static_cast<uint32_t>(i);
      next = end;
      return PollResult::kData;
    }
    return all_done ? PollResult::kEnd : PollResult::kNothing;
  }
  uint32_t split_count() const override { return static_cast<uint32_t>(splits_.size()); }
  std::string split_id(uint32_t split) const override { return std::to_string(splits_[split].first); }
  std::string split_state(uint32_t split) const override { return std::to_string(splits_[split].second); }
  bool split_at_end(uint32_t) const override { return false; }
  bool split_finished(uint32_t split) const override { return splits_[split].second == kRowsPerSplit; }
  int64_t next_poll_ms() const override { return clock_->wall_ms() + 1; }

 private:
  static void fill(SourceChunk& chunk, uint32_t split, int64_t from, int64_t to) {
    const auto rows = static_cast<uint32_t>(to - from);
    auto user = std::make_shared<Column>(PhysicalType::kInt64);
    auto time = std::make_shared<Column>(PhysicalType::kInt64);
    user->resize(rows);
    time->resize(rows);
    for (uint32_t r = 0; r < rows; ++r) {
      user->values<int64_t>()[r] = (from + r + split) % kKeys;
      time->values<int64_t>()[r] = 10 * (from + r);
    }
    Batch batch;
    batch.rows = rows;
    batch.columns = {user, time};
    batch.event_times = std::make_shared<std::vector<int64_t>>(rows, 0);
    chunk.payload = std::move(batch);
  }

  ClusterStage& stage_;
  Clock* clock_ = nullptr;
  std::vector<std::pair<uint32_t, int64_t>> splits_;
};

class StagedSink final : public SinkWriter {
 public:
  explicit StagedSink(ClusterStage& stage) : stage_(stage) {}
  Status open(SinkContext&) override { return {}; }
  Result<Flow> write(const Batch& batch, Output&) override {
    const std::lock_guard lock(stage_.mutex);
    for_each_row(batch, [&](uint32_t row) {
      const auto at = [&](size_t column) { return std::to_string(batch.columns[column]->values<int64_t>()[row]); };
      stage_.rows.insert(at(0) + " " + at(1) + " " + at(3));
    });
    return Flow::kNeedInput;
  }

 private:
  ClusterStage& stage_;
};

Registry staged_registry(ClusterStage& stage) {
  Registry registry;
  register_all_functions(registry.plan.functions);
  register_aggregates(registry.plan.functions);
  register_operators(registry);
  ConnectorDescriptor source;
  source.name = "staged";
  source.uses_format = false;
  source.check_source = [](const OptionValues&, SourceConfig& config, Diagnostics&) { config.bounded = true; };
  registry.plan.sources["staged"] = source;
  ConnectorDescriptor sink;
  sink.name = "staged";
  sink.uses_format = false;
  registry.plan.sinks["staged"] = sink;
  registry.factories.sources["staged"] = [&](const SourceConfig&, const Registry&) -> Result<SourceReaderPtr> {
    return std::make_unique<StagedReader>(stage);
  };
  registry.factories.sinks["staged"] = [&](const SinkConfig&, const Registry&) -> Result<SinkWriterPtr> {
    return std::make_unique<StagedSink>(stage);
  };
  return registry;
}

constexpr const char* kStagedJob = R"yaml(version: 1
name: staged
settings:
  checkpoint: {interval: 10m}
  restart: {strategy: fixed, attempts: 3, delay: 1ms}
sources:
  rows:
    type: staged
    schema: {user: BIGINT, t: TIMESTAMP(3)}
    event_time: {column: t, emit: batch}
steps:
  - id: per_user
    key_by: [user]
    window: {type: tumbling, size: 1s}
    aggregate: {n: COUNT(*)}
sinks:
  out: {type: staged}
)yaml";

std::set<std::string> expected_windows() {
  std::map<std::pair<int64_t, int64_t>, int64_t> counts;
  for (uint32_t s = 0; s < kSplits; ++s) {
    for (int64_t i = 0; i < kRowsPerSplit; ++i) ++counts[{(i + s) % kKeys, 10 * i / 1000 * 1000}];
  }
  std::set<std::string> rows;
  for (const auto& [key, n] : counts) {
    rows.insert(std::to_string(key.first) + " " + std::to_string(key.second) + " " + std::to_string(n));
  }
  return rows;
}

struct ClusterFixture {
  ClusterFixture() : registry(staged_registry(stage)) {
    set_log_level(LogLevel::kOff);
    root = std::filesystem::temp_directory_path() / ("millrace-cluster-" + std::to_string(system_random().next()));
  }
  ~ClusterFixture() {
    cluster.reset();
    std::filesystem::remove_all(root);
  }
  void start(int parallelism) {
    cluster.reset();
    SpecOverrides overrides;
    overrides.settings = {{"settings.parallelism", std::to_string(parallelism)}};
    PlannedJob planned = plan_job(kStagedJob, overrides, registry.plan);
    for (const Diagnostic& diagnostic : planned.diagnostics.all()) UNSCOPED_INFO(diagnostic.message);
    REQUIRE(planned.ok);
    TaskManagerConfig config;
    config.registry = &registry;
    config.clock = &system_clock();
    config.fs = &local_file_system();
    cluster = std::make_unique<LocalCluster>(std::move(planned), root.string(), SubmitOptions{}, config);
    REQUIRE(cluster->job().start().has_value());
  }
  JobThread& job() { return cluster->job(); }
  void checkpoint() {
    const int64_t before = job().view().checkpoints_completed;
    job().request_checkpoint();
    while (job().view().checkpoints_completed == before) REQUIRE_FALSE(job().wait(1));
  }

  ClusterStage stage;
  Registry registry;
  std::filesystem::path root;
  std::unique_ptr<LocalCluster> cluster;
};

}  // namespace

TEST_CASE("A job killed between checkpoints and resumed at other parallelisms fires every window right") {
  ClusterFixture fixture;
  int64_t allowed = 0;
  for (const int parallelism : {2, 3, 1, 4}) {
    fixture.start(parallelism);
    fixture.stage.rows_allowed = allowed += 60;
    fixture.checkpoint();
    fixture.stage.rows_allowed = allowed += 25;  // may be read, and is lost with the process
  }
  fixture.stage.rows_allowed = kRowsPerSplit;
  fixture.start(2);
  REQUIRE(fixture.job().view().restored_checkpoint > 0);
  fixture.job().wait();
  REQUIRE(fixture.job().view().state == JobState::kFinished);
  REQUIRE(fixture.stage.rows == expected_windows());
}

TEST_CASE("A task that fails for a passing reason is restarted from the last checkpoint in the same process") {
  ClusterFixture fixture;
  fixture.start(2);
  fixture.stage.rows_allowed = 150;
  fixture.checkpoint();
  fixture.stage.fail_next_poll = true;
  fixture.stage.rows_allowed = kRowsPerSplit;
  fixture.job().wait();
  const JobView view = fixture.job().view();
  REQUIRE(view.state == JobState::kFinished);
  REQUIRE(view.restarts == 1);
  REQUIRE(view.attempt == 2);
  REQUIRE(view.restored_checkpoint > 0);
  REQUIRE(fixture.stage.rows == expected_windows());
}

TEST_CASE("A stop ends with a checkpoint, the next start goes on from it, and a finished job starts afresh") {
  ClusterFixture fixture;
  fixture.start(2);
  fixture.stage.rows_allowed = 100;
  fixture.job().request_stop();
  fixture.job().wait();
  const JobView stopped = fixture.job().view();
  REQUIRE(stopped.state == JobState::kSuspended);
  REQUIRE(stopped.checkpoints_completed == 1);
  fixture.stage.rows_allowed = kRowsPerSplit;
  fixture.start(3);
  fixture.job().wait();
  const JobView finished = fixture.job().view();
  REQUIRE(finished.state == JobState::kFinished);
  REQUIRE(finished.job_id == stopped.job_id);
  REQUIRE(finished.restored_checkpoint == stopped.last_checkpoint_id);
  REQUIRE(fixture.stage.rows == expected_windows());
  fixture.start(1);
  fixture.job().wait();
  REQUIRE(fixture.job().view().job_id != stopped.job_id);
  REQUIRE(fixture.job().view().restored_checkpoint == 0);
}

TEST_CASE("A second process on the job's directory is refused") {
  ClusterFixture fixture;
  fixture.start(1);
  PlannedJob planned = plan_job(kStagedJob, {}, fixture.registry.plan);
  TaskManagerConfig config;
  config.registry = &fixture.registry;
  config.clock = &system_clock();
  config.fs = &local_file_system();
  LocalCluster second(std::move(planned), fixture.root.string(), {}, config);
  const Status refused = second.job().start();
  REQUIRE_FALSE(refused.has_value());
  REQUIRE(refused.error().code == ErrorCode::kDirectoryLocked);
}

}  // namespace millrace
