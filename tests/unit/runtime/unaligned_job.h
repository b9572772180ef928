// The job of the unaligned simulation: a source of numbered rows per key, two keyed steps behind hash exchanges that
// check every row they take, a broadcast input, a sink that publishes epochs. Steps are slow when the dice say so.
//   rows -> first (hash k) -> second (hash k) -> out (chained);  signs -> (broadcast) -> first
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/random.h"
#include "runtime/deployment.h"
#include "tests/unit/runtime/mini_job.h"

namespace millrace {

constexpr int64_t kPairKeysOfSplit = 3;

inline SchemaPtr pairs_schema() {
  static const SchemaPtr schema =
      std::make_shared<Schema>(Schema{{{"k", make_type(TypeKind::kBigInt)}, {"n", make_type(TypeKind::kBigInt)}}});
  return schema;
}

using PairRow = std::pair<int64_t, int64_t>;  // key, number

inline Batch pairs(const std::vector<PairRow>& rows) {
  Batch batch;
  batch.rows = static_cast<uint32_t>(rows.size());
  auto times = std::make_shared<std::vector<int64_t>>();
  for (size_t c = 0; c < 2; ++c) {
    auto column = make_column(*pairs_schema()->fields[c].type);
    column->resize(batch.rows);
    for (size_t i = 0; i < rows.size(); ++i) column->values<int64_t>()[i] = c == 0 ? rows[i].first : rows[i].second;
    batch.columns.push_back(std::move(column));
  }
  for (const PairRow& row : rows) times->push_back(row.second);
  batch.event_times = std::move(times);
  return batch;
}

inline std::vector<PairRow> pairs_of(const Batch& batch) {
  std::vector<PairRow> rows;
  for_each_row(batch, [&](uint32_t row) {
    rows.emplace_back(batch.columns[0]->values<int64_t>()[row], batch.columns[1]->values<int64_t>()[row]);
  });
  return rows;
}

/// What every part of the simulated job shares; outlives its attempts.
struct PairWorld {
  Random& random;
  uint32_t splits = 4;
  int64_t rows = 60;                                                      // of each split
  std::string wrong{};                                                    // the first thing that must not be
  std::map<std::pair<int64_t, uint32_t>, std::vector<PairRow>> sealed{};  // epochs by (checkpoint, subtask)
  std::vector<PairRow> published{};

  void check(bool holds, const std::string& what) {
    if (!holds && wrong.empty()) wrong = what;
  }
};

/// Row i of split s: key s * 3 + i % 3, number i, event time i.
class PairReader final : public SourceReader {
 public:
  explicit PairReader(PairWorld& world) : world_(world) {}
  Status open(SourceContext& context) override {
    for (uint32_t s = context.subtask; s < world_.splits; s += context.parallelism) {
      Split split{s, 0};
      for (const SplitState& saved : context.splits) {
        if (saved.split == std::to_string(s)) split.next = std::stoll(saved.state);
      }
      splits_.push_back(split);
    }
    return {};
  }
  Result<PollResult> poll(uint32_t, SourceChunk& chunk) override {
    for (size_t tried = 0; tried < splits_.size(); ++tried) {
      turn_ = (turn_ + 1) % splits_.size();
      Split& split = splits_[turn_];
      if (split.next == world_.rows) continue;
      std::vector<PairRow> rows;
      for (uint64_t left = 1 + world_.random.below(6); left > 0 && split.next < world_.rows; --left, ++split.next) {
        rows.emplace_back(split.number * kPairKeysOfSplit + split.next % kPairKeysOfSplit, split.next);
      }
      chunk.split = static_cast<uint32_t>(turn_);
      chunk.payload = pairs(rows);
      return PollResult::kData;
    }
    return PollResult::kEnd;
  }
  uint32_t split_count() const override { return static_cast<uint32_t>(splits_.size()); }
  std::string split_id(uint32_t split) const override { return std::to_string(splits_[split].number); }
  std::string split_state(uint32_t split) const override { return std::to_string(splits_[split].next); }
  bool split_at_end(uint32_t split) const override { return splits_[split].next == world_.rows; }
  bool split_finished(uint32_t split) const override { return split_at_end(split); }

 private:
  struct Split {
    int64_t number;
    int64_t next;
  };
  PairWorld& world_;
  std::vector<Split> splits_;
  size_t turn_ = 0;
};

/// Passes rows on one by one; knows the next number of every key. What comes through input 1 it only counts.
class PairLedger final : public Operator {
 public:
  explicit PairLedger(PairWorld& world) : world_(world) {}
  Status open(const OperatorContext& context) override {
    context_ = context;
    if (context.restored == nullptr) return {};
    MR_TRY(
        context.restored->visit(signs(), {}, 0, 1, [&](uint32_t, std::string_view, std::string_view value) -> Status {
          signs_ = std::stoll(std::string(value));
          return {};
        }));
    return context.restored->visit(ledger(), context.key_groups, 0, 1,
                                   [&](uint32_t, std::string_view key, std::string_view value) -> Status {
                                     next_[std::stoll(std::string(key))] = std::stoll(std::string(value));
                                     return {};
                                   });
  }
  Result<Flow> process(uint32_t input, Batch& batch, Output& out) override {
    if (world_.random.below(2) == 0) return Flow::kBlocked;
    const std::vector<PairRow> rows = pairs_of(batch);
    if (input == 1) {
      for (const PairRow& row : rows) world_.check(row.second == signs_++, "a sign came twice or not at all");
      return Flow::kNeedInput;
    }
    const auto [key, number] = rows[at_];
    const auto known = next_.try_emplace(key, key % kPairKeysOfSplit).first;
    world_.check(number == known->second, context_.step + ": row " + std::to_string(number) + " of key " +
                                              std::to_string(key) + " where row " + std::to_string(known->second) +
                                              " was due");
    world_.check(number > watermark_, context_.step + ": a row behind the watermark " + std::to_string(watermark_));
    known->second = number + kPairKeysOfSplit;
    out.emit(0, pairs({rows[at_]}));
    if (++at_ < rows.size()) return Flow::kMoreOutput;
    at_ = 0;
    return Flow::kNeedInput;
  }
  Result<Flow> advance(int64_t watermark, Output&) override {
    world_.check(watermark >= watermark_, context_.step + ": the watermark went back");
    watermark_ = watermark;
    return Flow::kNeedInput;
  }
  Result<std::vector<SnapshotPartPtr>> snapshot() override {
    world_.check(at_ == 0, "a snapshot in the middle of a batch");
    std::vector<SnapshotPartPtr> parts;
    auto part = std::make_unique<RowsSnapshot>(ledger());
    for (const auto& [key, next] : next_) {
      EncodedKeys encoded;
      encode_keys(pairs({{key, 0}}), *pairs_schema(), std::vector<uint32_t>{0}, encoded);
      part->add(key_group_of(encoded.hashes[0], context_.max_parallelism), std::to_string(key), std::to_string(next));
    }
    parts.push_back(std::move(part));
    if (context_.subtask != 0) return parts;
    // As a broadcast step: one copy, for all.
    auto copy = std::make_unique<RowsSnapshot>(signs());
    copy->add(0, "signs", std::to_string(signs_));
    parts.push_back(std::move(copy));
    return parts;
  }

 private:
  StateDescriptor ledger() const { return {context_.step, "ledger", StateKind::kKeyed, "k -> next n"}; }
  StateDescriptor signs() const { return {context_.step, "signs", StateKind::kSplit, "count"}; }
  PairWorld& world_;
  OperatorContext context_;
  std::map<int64_t, int64_t> next_;
  int64_t signs_ = 0;
  int64_t watermark_ = kWatermarkMin;
  size_t at_ = 0;
};

/// Numbers 0, 1, 2, … from one subtask.
class SignReader final : public SourceReader {
 public:
  explicit SignReader(PairWorld& world) : world_(world) {}
  Status open(SourceContext& context) override {
    mine_ = context.subtask == 0;
    for (const SplitState& saved : context.splits) next_ = std::stoll(saved.state);
    return {};
  }
  Result<PollResult> poll(uint32_t, SourceChunk& chunk) override {
    if (!mine_ || next_ == world_.rows) return PollResult::kEnd;
    if (world_.random.below(3) != 0) return PollResult::kNothing;
    chunk.split = 0;
    chunk.payload = pairs({{0, next_++}});
    return PollResult::kData;
  }
  int64_t next_poll_ms() const override { return 0; }
  uint32_t split_count() const override { return mine_ ? 1 : 0; }
  std::string split_id(uint32_t) const override { return "signs"; }
  std::string split_state(uint32_t) const override { return std::to_string(next_); }
  bool split_at_end(uint32_t) const override { return next_ == world_.rows; }
  bool split_finished(uint32_t split) const override { return split_at_end(split); }

 private:
  PairWorld& world_;
  bool mine_ = false;
  int64_t next_ = 0;
};

/// Rows of an epoch are sealed at its barrier and published after the checkpoint completed.
class PairSink final : public SinkWriter {
 public:
  explicit PairSink(PairWorld& world) : world_(world) {}
  Status open(SinkContext& context) override {
    subtask_ = context.subtask;
    return {};
  }
  Result<Flow> write(const Batch& batch, Output&) override {
    for (const PairRow& row : pairs_of(batch)) epoch_.push_back(row);
    return Flow::kNeedInput;
  }
  Result<std::vector<SnapshotPartPtr>> snapshot_at(int64_t checkpoint_id) override {
    world_.sealed[{checkpoint_id, subtask_}] = std::exchange(epoch_, {});
    return std::vector<SnapshotPartPtr>{};
  }

 private:
  PairWorld& world_;
  uint32_t subtask_ = 0;
  std::vector<PairRow> epoch_;
};

inline Registry pair_registry(PairWorld& world) {
  Registry registry;
  registry.factories.sources["pairs"] = [&world](const SourceConfig&, const Registry&) -> Result<SourceReaderPtr> {
    return std::make_unique<PairReader>(world);
  };
  registry.factories.sources["signs"] = [&world](const SourceConfig&, const Registry&) -> Result<SourceReaderPtr> {
    return std::make_unique<SignReader>(world);
  };
  registry.factories.operators["ledger"] = [&world](const Node&, const JobGraph&) -> Result<OperatorPtr> {
    return std::make_unique<PairLedger>(world);
  };
  registry.factories.sinks["pairs"] = [&world](const SinkConfig&, const Registry&) -> Result<SinkWriterPtr> {
    return std::make_unique<PairSink>(world);
  };
  return registry;
}

inline Node pair_source(const std::string& connector, uint32_t parallelism) {
  Node node = mini_node(NodeKind::kSource, connector, connector, {}, parallelism);
  auto source = std::make_shared<SourceConfig>(*node.source);
  source->connector = connector;
  source->columns.clear();
  for (const Field& field : pairs_schema()->fields) {
    SourceColumn column;
    column.name = field.name;
    column.type = field.type;
    source->columns.push_back(column);
  }
  source->event_time.column = 1;
  source->event_time.emit = WatermarkEmit::kBatch;
  node.source = source;
  return node;
}

inline std::shared_ptr<const JobGraph> pair_graph(uint32_t parallelism) {
  auto graph = std::make_shared<JobGraph>();
  graph->name = "pairs";
  graph->settings.parallelism = parallelism;
  graph->settings.buffer_timeout_ms = 1;
  const auto hash = [](uint32_t from) {
    return NodeInput{.node = from, .port = 0, .partitioning = Partitioning::kHash, .key_columns = {0}};
  };
  auto& nodes = graph->nodes;
  nodes.push_back(pair_source("pairs", parallelism));
  nodes.push_back(pair_source("signs", 1));
  nodes.push_back(mini_node(NodeKind::kOperator, "first", "ledger",
                            {hash(0), {.node = 1, .partitioning = Partitioning::kBroadcast, .key_columns = {}}},
                            parallelism));
  nodes.push_back(mini_node(NodeKind::kOperator, "second", "ledger", {hash(2)}, parallelism));
  nodes.push_back(mini_node(NodeKind::kSink, "out", "pairs", {{.node = 3, .key_columns = {}}}, parallelism));
  auto sink = std::make_shared<SinkConfig>(*nodes.back().sink);
  sink->connector = "pairs";
  sink->schema = pairs_schema();
  nodes.back().sink = sink;
  for (Node& node : nodes) {
    for (Port& port : node.outputs) port.schema = pairs_schema();
  }
  return graph;
}

}  // namespace millrace
