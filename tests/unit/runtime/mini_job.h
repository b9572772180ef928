// A job for runtime tests, without files, planner or threads: a source of numbered rows in several splits, keyed
// counting behind a hash exchange, a sink that collects. Snapshots stay in memory; the workers are stepped by the test.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "core/bytes.h"
#include "runtime/deployment.h"
#include "tests/unit/runtime/test_rows.h"

namespace millrace {

/// Rows of all tasks of one checkpoint.
class MemorySnapshot final : public SnapshotWriter, public RestoredState {
 public:
  Status begin(const StateDescriptor& state) override {
    current_ = &states_[{state.step, state.name}];
    return {};
  }
  Status add(uint32_t group, std::string_view key, std::string_view value) override {
    current_->push_back({group, std::string(key), std::string(value)});
    return {};
  }
  Status visit(const StateDescriptor& expected, KeyGroupRange groups, uint32_t, uint32_t,
               const RowVisitor& visitor) const override {
    const auto found = states_.find({expected.step, expected.name});
    if (found == states_.end()) return {};
    for (const Row& row : found->second) {
      if (expected.kind == StateKind::kKeyed && !groups.contains(row.group)) continue;
      MR_TRY(visitor(row.group, row.key, row.value));
    }
    return {};
  }

 private:
  struct Row {
    uint32_t group;
    std::string key;
    std::string value;
  };
  std::map<std::pair<std::string, std::string>, std::vector<Row>> states_;
  std::vector<Row>* current_ = nullptr;
};

/// `splits` splits of `rows` rows; row i of split s is (i * splits + s) % keys, event time i.
struct MiniSource {
  uint32_t splits = 4;
  int64_t rows = 500;
  int64_t keys = 17;
};

class MiniReader final : public SourceReader {
 public:
  explicit MiniReader(MiniSource shape) : shape_(shape) {}
  Status open(SourceContext& context) override {
    for (uint32_t s = context.subtask; s < shape_.splits; s += context.parallelism) {
      Split split{s, 0};
      for (const SplitState& saved : context.splits) {
        if (saved.split == "mini/" + std::to_string(s)) split.next = std::stoll(saved.state);
      }
      splits_.push_back(split);
    }
    return {};
  }
  Result<PollResult> poll(uint32_t max_rows, SourceChunk& chunk) override {
    for (size_t tried = 0; tried < splits_.size(); ++tried) {
      turn_ = (turn_ + 1) % splits_.size();
      Split& split = splits_[turn_];
      const int64_t end = std::min<int64_t>(shape_.rows, split.next + std::min<uint32_t>(max_rows, 7));
      if (split.next == end) continue;
      std::vector<int64_t> values;
      std::vector<int64_t> times;
      for (; split.next < end; ++split.next) {
        values.push_back((split.next * shape_.splits + split.number) % shape_.keys);
        times.push_back(split.next);
      }
      Batch batch = numbers(values);
      batch.event_times = std::make_shared<std::vector<int64_t>>(times);
      chunk.split = static_cast<uint32_t>(turn_);
      chunk.payload = std::move(batch);
      return PollResult::kData;
    }
    return PollResult::kEnd;
  }
  uint32_t split_count() const override { return static_cast<uint32_t>(splits_.size()); }
  std::string split_id(uint32_t split) const override { return "mini/" + std::to_string(splits_[split].number); }
  std::string split_state(uint32_t split) const override { return std::to_string(splits_[split].next); }
  bool split_at_end(uint32_t split) const override { return splits_[split].next == shape_.rows; }
  bool split_finished(uint32_t split) const override { return split_at_end(split); }

 private:
  struct Split {
    uint32_t number;
    int64_t next;
  };
  MiniSource shape_;
  std::vector<Split> splits_;
  size_t turn_ = 0;
};

/// Counts rows per key; at the end of input emits key * 1'000'000 + count.
class MiniCounter final : public Operator {
 public:
  Status open(const OperatorContext& context) override {
    context_ = context;
    if (context.restored == nullptr) return {};
    return context.restored->visit(descriptor(), context.key_groups, 0, 1,
                                   [&](uint32_t, std::string_view key, std::string_view value) -> Status {
                                     counts_[std::stoll(std::string(key))] += std::stoll(std::string(value));
                                     return {};
                                   });
  }
  Result<Flow> process(uint32_t, Batch& batch, Output&) override {
    for (const int64_t n : numbers_of(batch)) ++counts_[n];
    return Flow::kNeedInput;
  }
  Result<Flow> advance(int64_t watermark, Output& out) override {
    if (watermark != kWatermarkMax || counts_.empty()) return Flow::kNeedInput;
    const auto first = counts_.begin();
    out.emit(0, numbers({first->first * 1'000'000 + first->second}));
    counts_.erase(first);
    return counts_.empty() ? Flow::kNeedInput : Flow::kMoreOutput;
  }
  Result<std::vector<SnapshotPartPtr>> snapshot() override {
    auto part = std::make_unique<RowsSnapshot>(descriptor());
    for (const auto& [key, number] : counts_) {
      EncodedKeys encoded;
      encode_keys(numbers({key}), *numbers_schema(), std::vector<uint32_t>{0}, encoded);
      part->add(key_group_of(encoded.hashes[0], context_.max_parallelism), std::to_string(key), std::to_string(number));
    }
    std::vector<SnapshotPartPtr> parts;
    parts.push_back(std::move(part));
    return parts;
  }

 private:
  StateDescriptor descriptor() const { return {context_.step, "counts", StateKind::kKeyed, "n -> count"}; }
  OperatorContext context_;
  std::map<int64_t, int64_t> counts_;
};

class MiniPass final : public Operator {
 public:
  Status open(const OperatorContext&) override { return {}; }
  Result<Flow> process(uint32_t, Batch& batch, Output& out) override {
    out.emit(0, std::move(batch));
    return Flow::kNeedInput;
  }
};

class MiniSink final : public SinkWriter {
 public:
  explicit MiniSink(std::vector<int64_t>& rows) : rows_(rows) {}
  Status open(SinkContext&) override { return {}; }
  Result<Flow> write(const Batch& batch, Output&) override {
    for (const int64_t n : numbers_of(batch)) rows_.push_back(n);
    return Flow::kNeedInput;
  }

 private:
  std::vector<int64_t>& rows_;
};

/// Registry whose sink writes into `rows`.
inline Registry mini_registry(std::vector<int64_t>& rows, MiniSource shape) {
  Registry registry;
  registry.factories.sources["mini"] = [shape](const SourceConfig&, const Registry&) -> Result<SourceReaderPtr> {
    return std::make_unique<MiniReader>(shape);
  };
  registry.factories.operators["count"] = [](const Node&, const JobGraph&) -> Result<OperatorPtr> {
    return std::make_unique<MiniCounter>();
  };
  registry.factories.operators["pass"] = [](const Node&, const JobGraph&) -> Result<OperatorPtr> {
    return std::make_unique<MiniPass>();
  };
  registry.factories.sinks["mini"] = [&rows](const SinkConfig&, const Registry&) -> Result<SinkWriterPtr> {
    return std::make_unique<MiniSink>(rows);
  };
  return registry;
}

inline SourceColumn number_column() {
  SourceColumn column;
  column.name = "n";
  column.type = numbers_schema()->fields[0].type;
  return column;
}

inline Node mini_node(NodeKind kind, std::string id, std::string type, std::vector<NodeInput> inputs,
                      uint32_t parallelism) {
  Node node;
  node.kind = kind;
  node.id = std::move(id);
  node.type = std::move(type);
  node.inputs = std::move(inputs);
  node.parallelism = parallelism;
  if (kind != NodeKind::kSink) node.outputs.push_back({"", numbers_schema(), Changelog::kAppend, {}});
  if (kind == NodeKind::kSource) {
    auto source = std::make_shared<SourceConfig>();
    source->connector = "mini";
    source->columns.push_back(number_column());
    source->bounded = true;
    source->event_time.emit = WatermarkEmit::kBatch;
    node.source = source;
  }
  if (kind == NodeKind::kSink) {
    auto sink = std::make_shared<SinkConfig>();
    sink->connector = "mini";
    sink->schema = numbers_schema();
    node.sink = sink;
  }
  return node;
}

/// source -> (two paths when `diamond`) -> count by n -> sink; the sink has parallelism 1.
inline std::shared_ptr<const JobGraph> mini_graph(uint32_t parallelism, bool diamond) {
  auto graph = std::make_shared<JobGraph>();
  graph->name = "mini";
  graph->settings.parallelism = parallelism;
  graph->settings.buffer_timeout_ms = 0;
  auto& nodes = graph->nodes;
  nodes.push_back(mini_node(NodeKind::kSource, "numbers", "mini", {}, parallelism));
  const auto hash = [](uint32_t from) {
    return NodeInput{.node = from, .port = 0, .partitioning = Partitioning::kHash, .key_columns = {0}};
  };
  uint32_t count = 1;
  if (diamond) {
    nodes.push_back(mini_node(NodeKind::kOperator, "left", "pass", {{.node = 0, .key_columns = {}}}, parallelism));
    nodes.push_back(mini_node(NodeKind::kOperator, "right", "pass",
                              {{.node = 0, .partitioning = Partitioning::kRebalance, .key_columns = {}}}, 2));
    nodes.push_back(mini_node(NodeKind::kOperator, "count", "count", {hash(1), hash(2)}, parallelism));
    count = 3;
  } else {
    nodes.push_back(mini_node(NodeKind::kOperator, "count", "count", {hash(0)}, parallelism));
  }
  nodes.push_back(mini_node(NodeKind::kSink, "out", "mini",
                            {{.node = count, .partitioning = Partitioning::kGlobal, .key_columns = {}}}, 1));
  return graph;
}

/// Every look at it takes 0.3 ms, so that a step of a task ends after a few batches.
class TickingClock final : public Clock {
 public:
  [[nodiscard]] int64_t wall_ms() const override { return now_ns_ / 1'000'000; }
  [[nodiscard]] int64_t monotonic_ns() const override { return now_ns_ += 300'000; }

 private:
  mutable int64_t now_ns_ = 0;
};

/// Runs attempts of the job, on one or several members in this process; what a checkpoint coordinator would do is done
/// by hand, and all workers are stepped by the test's thread.
class MiniCluster final : public DeploymentEvents {
 public:
  explicit MiniCluster(MiniSource shape = {}) : registry_(mini_registry(rows, shape)) {}

  /// `slots[i]` is the member that runs slot i; without it there is one member.
  void deploy(const std::shared_ptr<const JobGraph>& graph, const std::vector<uint32_t>& slots = {}) {
    deployments.clear();
    rows.clear();
    finished_tasks.clear();
    tasks = 0;
    const uint32_t members = slots.empty() ? 1 : 1 + *std::max_element(slots.begin(), slots.end());
    for (uint32_t member = 0; member < members; ++member) {
      DeploymentConfig config;
      config.graph = graph;
      config.registry = &registry_;
      config.clock = &clock;
      config.restored = completed;
      config.events = this;
      config.placement = {member, slots};
      if (members > 1) config.remote = connect(member);
      auto made = Deployment::make(std::move(config));
      MR_CHECK(made.has_value(), made.error().message);
      deployments.push_back(std::move(*made));
      tasks += deployments.back()->tasks().size();
    }
  }
  bool run_once() {
    bool progressed = false;
    for (const auto& deployment : deployments) progressed = deployment->run_once() || progressed;
    return progressed;
  }
  /// Triggers and steps until every task has taken its snapshot.
  void checkpoint(int64_t id, bool final = false) {
    taking = std::make_shared<MemorySnapshot>();
    taken.clear();
    for (const auto& deployment : deployments) deployment->trigger_checkpoint(id, final);
    run_until([&] { return taken.size() == tasks; }, "the checkpoint never came to its end");
    completed = taking;
    for (const auto& deployment : deployments) deployment->checkpoint_completed(id);
  }
  void run_to_end() {
    run_until([&] { return finished_tasks.size() == tasks; }, "the job never came to its end");
  }
  /// Steps until the condition holds; a long time without any progress is a failure.
  void run_until(const std::function<bool()>& done, const char* what) {
    for (int silent = 0; silent < silent_steps_max && !done();) {
      silent = run_once() ? 0 : silent + 1;
      if (silent > 0) std::this_thread::yield();  // members over a real network wait for its threads
    }
    MR_CHECK(done(), what);
  }

  void running(TaskId) override {}
  void snapshot_taken(TaskId task, int64_t, bool, std::vector<SnapshotPartPtr> parts) override {
    for (const SnapshotPartPtr& part : parts) MR_CHECK(part->write(*taking).has_value(), "snapshot");
    MR_CHECK(taken.insert(task).second, "a task took the same snapshot twice");
  }
  void finished(TaskId task) override { finished_tasks.insert(task); }
  void failed(TaskId, const std::string& step, const Error& error) override {
    MR_CHECK(false, step + ": " + error.message);
  }

  std::vector<int64_t> rows;
  TickingClock clock;
  std::vector<std::unique_ptr<Deployment>> deployments;
  size_t tasks = 0;  // of all members
  std::function<std::shared_ptr<RemoteChannels>(uint32_t member)> connect;
  int silent_steps_max = 1'000;
  std::shared_ptr<MemorySnapshot> completed;
  std::shared_ptr<MemorySnapshot> taking;
  std::set<TaskId> taken;
  std::set<TaskId> finished_tasks;

 private:
  Registry registry_;
};

}  // namespace millrace
