#include "testing/operator_kit.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <set>

#include "connectors/json/json_decoder.h"
#include "connectors/json/json_encoder.h"
#include "core/file_system.h"
#include "core/random.h"
#include "state/state_resources.h"
#include "testing/memory_snapshot.h"

namespace millrace {

namespace {

constexpr uint32_t kKitMaxParallelism = 128;

struct KitMode {
  const char* name;
  uint32_t batch_rows = kBatchRowsMax;
  bool read_late = false;      // render results only at the very end: they must own what they show
  uint32_t restore_every = 0;  // batches between snapshot and restore
  bool rescale = false;        // every restore changes the parallelism: 1, 2, 1, …
  uint32_t parallelism_max = 2;
  bool spill = false;  // all rows that can leave memory do so after every batch
};

constexpr KitMode kKitModes[] = {{"all at once"},
                                 {"row by row", 1},
                                 {"two rows a batch", 2},
                                 {"results read late", 3, true},
                                 {"restored after every batch", 1, false, 1},
                                 {"restored after every second batch", 2, false, 2},
                                 {"rescaled after every batch", 1, true, 1, true},
                                 {"rescaled after every third batch", 2, false, 3, true},
                                 {"spilled, row by row", 1, false, 0, false, 2, true},
                                 {"spilled, restored after every second batch", 1, false, 2, false, 2, true},
                                 {"spilled, rescaled after every third batch", 1, false, 3, true, 2, true}};

using PortRows = std::map<std::string, std::vector<std::string>>;

/// One run of a case in one mode.
class KitRun final {
 public:
  KitRun(const Registry& registry, const Node& node, const KitCase& test, const KitMode& mode,
         const std::vector<SchemaPtr>& schemas)
      : registry_(registry), node_(node), test_(test), mode_(mode), schemas_(schemas) {}

  Status run();
  [[nodiscard]] PortRows rows();

 private:
  struct Subtask {
    std::unique_ptr<TaskStore> store;  // declared before its user
    OperatorPtr op;
    int64_t forwarded = kWatermarkMin;
  };
  class Collect;

  Result<Batch> decode(uint32_t input, const std::vector<const KitEvent*>& events) const;
  Status open(uint32_t parallelism, const RestoredState* restored);
  Result<std::unique_ptr<TaskStore>> make_store(const OperatorContext& context);
  Status feed(uint32_t input, const std::vector<const KitEvent*>& events);
  Status feed_one(Subtask& subtask, uint32_t input, const Batch& batch);
  Status feed_watermark(int64_t watermark);
  Status feed_clock(int64_t wall_ms);
  Status disturb();
  template <class F>
  Status drive(Subtask& subtask, bool may_be_late, F&& call);
  void render(uint32_t port, const Batch& batch);
  [[nodiscard]] std::vector<std::vector<uint32_t>> route(uint32_t input, const Batch& batch);

  const Registry& registry_;
  const Node& node_;
  const KitCase& test_;
  const KitMode& mode_;
  const std::vector<SchemaPtr>& schemas_;
  ManualClock clock_;
  Waker waker_;
  std::unique_ptr<StateResources> state_;
  std::unique_ptr<MemorySnapshot> snapshot_;  // what stores go on from stays
  std::vector<Subtask> subtasks_;
  uint32_t stores_ = 0;
  int64_t watermark_ = kWatermarkMin;
  uint32_t batches_ = 0;
  uint32_t next_subtask_ = 0;
  std::vector<std::pair<uint32_t, Batch>> pending_;
  PortRows rows_;
};

/// Checks what a single call may emit.
class KitRun::Collect final : public Output {
 public:
  Collect(KitRun& run, const Subtask& subtask, bool may_be_late)
      : run_(run), subtask_(subtask), may_be_late_(may_be_late) {}

  void emit(uint32_t port, Batch batch) override {
    if (batch.empty()) return;
    if (!ports_.insert(port).second) failure_ = "two batches on one port in one call";
    if (port >= run_.node_.outputs.size()) failure_ = "a batch for a port that does not exist";
    if (!batch.event_times || batch.event_times->size() < batch.rows) failure_ = "a batch without event times";
    if (batch.selected() > kBatchRowsMax) failure_ = "a batch of more than kBatchRowsMax rows";
    if (!failure_.empty()) return;
    if (port == 0 && !may_be_late_) {
      for_each_row(batch, [&](uint32_t row) {
        if (subtask_.forwarded == kWatermarkMin || (*batch.event_times)[row] > subtask_.forwarded) return;
        failure_ = "a row of " + std::to_string((*batch.event_times)[row]) + " behind the forwarded watermark " +
                   std::to_string(subtask_.forwarded);
      });
    }
    if (run_.mode_.read_late) {
      run_.pending_.emplace_back(port, std::move(batch));
    } else {
      run_.render(port, batch);
    }
  }
  [[nodiscard]] Status status() const {
    return failure_.empty() ? Status{} : make_error(ErrorCode::kInternal, failure_);
  }

 private:
  KitRun& run_;
  const Subtask& subtask_;
  bool may_be_late_;
  std::set<uint32_t> ports_;
  std::string failure_;
};

void KitRun::render(uint32_t port, const Batch& batch) {
  const Port& to = node_.outputs[port];
  std::vector<uint32_t> rows;
  for_each_row(batch, [&rows](uint32_t row) { rows.push_back(row); });
  std::string bytes;
  std::vector<size_t> ends;
  const auto encoder = make_json_encoder(to.schema, {}, to.changelog != Changelog::kAppend);
  if (!encoder->encode(batch, rows, bytes, ends)) return;
  size_t begin = 0;
  for (const size_t end : ends) {
    std::string line = bytes.substr(begin, end - begin);
    while (line.ends_with('\n')) line.pop_back();
    rows_[to.name].push_back(std::move(line));
    begin = end;
  }
}

PortRows KitRun::rows() {
  for (const auto& [port, batch] : pending_) render(port, batch);
  pending_.clear();
  return std::move(rows_);
}

Result<Batch> KitRun::decode(uint32_t input, const std::vector<const KitEvent*>& events) const {
  std::vector<DecodeColumn> columns;
  for (const Field& field : schemas_[input]->fields) {
    DecodeColumn column;
    column.name = field.name;
    column.type = field.type;
    column.path = {field.name};
    columns.push_back(std::move(column));
  }
  MR_ASSIGN(const DecoderPtr decoder, make_json_decoder(columns));
  RecordBatch records;
  records.arena = std::make_shared<Arena>();
  auto times = std::make_shared<std::vector<int64_t>>();
  auto kinds = std::make_shared<std::vector<uint8_t>>();
  for (const KitEvent* event : events) {
    Record record;
    record.value = records.arena->copy(event->row);
    records.records.push_back(record);
    times->push_back(event->event_time);
    kinds->push_back(event->row_kind);
  }
  DecodeResult decoded;
  MR_TRY(decoder->decode(records, decoded));
  if (!decoded.bad.empty()) return make_error(ErrorCode::kBadRecord, decoded.bad[0].message);
  Batch batch;
  batch.rows = decoded.rows;
  batch.columns = std::move(decoded.columns);
  batch.event_times = std::move(times);
  if (std::ranges::any_of(*kinds, [](uint8_t kind) { return kind != 0; })) batch.kinds = std::move(kinds);
  batch.arenas = std::move(decoded.arenas);
  batch.arenas.push_back(records.arena);
  return batch;
}

/// In memory where there is such a file system: a store syncs what it writes.
std::string kit_state_root() {
  return join_path(::access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp", "millrace-kit");
}

/// Of no memory at all.
Result<std::unique_ptr<TaskStore>> KitRun::make_store(const OperatorContext& context) {
  if (!mode_.spill) return nullptr;
  if (!state_) state_ = std::make_unique<StateResources>(kit_state_root(), 0);
  state_->budget()->limit_bytes = 0;
  TaskStore::Config config;
  MR_ASSIGN(const std::string root, state_->directory());
  config.instance = "kit" + std::to_string(++stores_);
  config.directory = join_path(root, config.instance);
  config.budget = state_->budget();
  config.memory = state_->memory();
  config.key_groups = context.key_groups;
  config.restored = context.restored;
  return TaskStore::make(std::move(config));
}

Status KitRun::open(uint32_t parallelism, const RestoredState* restored) {
  const auto factory = registry_.factories.operators.find(node_.type);
  if (factory == registry_.factories.operators.end()) return make_error(ErrorCode::kInternal, "no factory");
  std::vector<Subtask> opened(parallelism);
  int64_t forwarded = subtasks_.empty() ? kWatermarkMin : kWatermarkMax;
  for (const Subtask& before : subtasks_) forwarded = std::min(forwarded, before.forwarded);
  static const JobGraph kNoGraph;
  for (uint32_t i = 0; i < parallelism; ++i) {
    MR_ASSIGN(opened[i].op, factory->second(node_, kNoGraph));
    OperatorContext context;
    context.step = node_.id;
    context.subtask = i;
    context.parallelism = parallelism;
    context.max_parallelism = kKitMaxParallelism;
    context.key_groups = key_group_range(kKitMaxParallelism, parallelism, i);
    context.clock = &clock_;
    context.waker = &waker_;
    context.restored = restored;
    context.states = &node_.states;
    MR_ASSIGN(opened[i].store, make_store(context));
    context.store = opened[i].store.get();
    MR_TRY(opened[i].op->open(context));
    if (opened[i].store) MR_TRY(opened[i].store->registered());
    // What went downstream before the restore is still true afterwards.
    opened[i].forwarded = forwarded;
  }
  subtasks_ = std::move(opened);
  return {};
}

template <class F>
Status KitRun::drive(Subtask& subtask, bool may_be_late, F&& call) {
  for (int calls = 0; calls < 1'000'000; ++calls) {
    Collect out(*this, subtask, may_be_late);
    MR_ASSIGN(const Flow flow, call(out));
    MR_TRY(out.status());
    if (flow == Flow::kNeedInput || flow == Flow::kDone) return subtask.store ? subtask.store->balance() : Status{};
  }
  return make_error(ErrorCode::kInternal, "the call never came to an end");
}

Status KitRun::feed_one(Subtask& subtask, uint32_t input, const Batch& batch) {
  bool late = false;
  for_each_row(batch, [&](uint32_t row) {
    late = late || (watermark_ != kWatermarkMin && (*batch.event_times)[row] <= watermark_);
  });
  Batch given = batch;
  return drive(subtask, late, [&](Output& out) -> Result<Flow> {
    auto flow = subtask.op->process(input, given, out);
    if (flow && *flow != Flow::kNeedInput && given.rows != batch.rows) {
      return make_error(ErrorCode::kInternal, "the batch was consumed before kNeedInput");
    }
    return flow;
  });
}

/// The rows of each subtask.
std::vector<std::vector<uint32_t>> KitRun::route(uint32_t input, const Batch& batch) {
  std::vector<std::vector<uint32_t>> targets(subtasks_.size());
  const NodeInput& how = node_.inputs[input];
  EncodedKeys keys;
  if (how.partitioning == Partitioning::kHash) encode_keys(batch, *schemas_[input], how.key_columns, keys);
  for (uint32_t i = 0; i < batch.selected(); ++i) {
    if (how.partitioning == Partitioning::kBroadcast) {
      for (auto& all : targets) all.push_back(batch.row_at(i));
      continue;
    }
    size_t target = 0;
    if (how.partitioning == Partitioning::kHash) {
      target = owner_of_key_group(key_group_of(keys.hashes[i], kKitMaxParallelism), kKitMaxParallelism,
                                  static_cast<uint32_t>(subtasks_.size()));
    } else if (how.partitioning != Partitioning::kGlobal) {
      target = next_subtask_++ % subtasks_.size();
    }
    targets[target].push_back(batch.row_at(i));
  }
  return targets;
}

Status KitRun::feed(uint32_t input, const std::vector<const KitEvent*>& events) {
  for (size_t begin = 0; begin < events.size(); begin += mode_.batch_rows) {
    const size_t end = std::min(events.size(), begin + mode_.batch_rows);
    const std::vector<const KitEvent*> slice(events.begin() + static_cast<std::ptrdiff_t>(begin),
                                             events.begin() + static_cast<std::ptrdiff_t>(end));
    MR_ASSIGN(const Batch batch, decode(input, slice));
    const auto targets = route(input, batch);
    for (size_t i = 0; i < subtasks_.size(); ++i) {
      if (targets[i].empty()) continue;
      Batch part = batch;
      if (targets[i].size() < batch.rows) part.selection = std::make_shared<const std::vector<uint32_t>>(targets[i]);
      MR_TRY(feed_one(subtasks_[i], input, part));
    }
    ++batches_;
    if (mode_.restore_every > 0 && batches_ % mode_.restore_every == 0) MR_TRY(disturb());
  }
  return {};
}

Status KitRun::feed_watermark(int64_t watermark) {
  watermark_ = std::max(watermark_, watermark);
  for (Subtask& subtask : subtasks_) {
    MR_TRY(drive(subtask, false, [&](Output& out) { return subtask.op->advance(watermark, out); }));
    subtask.forwarded = std::max(subtask.forwarded, subtask.op->hold_back(watermark));
  }
  return {};
}

Status KitRun::feed_clock(int64_t wall_ms) {
  clock_.advance_ms(wall_ms - clock_.wall_ms());
  for (Subtask& subtask : subtasks_) {
    if (subtask.op->next_timer_ms() > wall_ms) continue;
    MR_TRY(drive(subtask, true, [&](Output& out) { return subtask.op->on_timer(wall_ms, out); }));
  }
  return {};
}

/// Snapshot, then new operators from it, perhaps more or fewer of them.
Status KitRun::disturb() {
  snapshot_ = std::make_unique<MemorySnapshot>();
  uint32_t number = 0;
  for (Subtask& subtask : subtasks_) {
    snapshot_->begin_task({0, number++});
    MR_ASSIGN(std::vector<SnapshotPartPtr> parts, subtask.op->snapshot());
    if (subtask.store) {
      MR_ASSIGN(SnapshotPartPtr files, subtask.store->snapshot());
      if (files) parts.push_back(std::move(files));
    }
    for (const SnapshotPartPtr& part : parts) MR_TRY(part->write(*snapshot_));
  }
  MR_TRY(snapshot_->check_layouts(registry_.plan.functions));
  const auto now = static_cast<uint32_t>(subtasks_.size());
  const bool global = std::ranges::any_of(
      node_.inputs, [](const NodeInput& input) { return input.partitioning == Partitioning::kGlobal; });
  MR_TRY(open(mode_.rescale && !global ? now % mode_.parallelism_max + 1 : now, snapshot_.get()));
  if (watermark_ == kWatermarkMin) return {};
  // As restored sources do, before their first row.
  for (Subtask& subtask : subtasks_) {
    MR_TRY(drive(subtask, false, [&](Output& out) { return subtask.op->advance(watermark_, out); }));
  }
  return {};
}

Status KitRun::run() {
  MR_TRY(open(1, nullptr));
  std::vector<const KitEvent*> waiting;
  auto flush = [&]() -> Status {
    if (waiting.empty()) return {};
    const Status fed = feed(waiting.front()->input, waiting);
    waiting.clear();
    return fed;
  };
  for (const KitEvent& event : test_.events) {
    if (event.kind == KitEvent::Kind::kRow) {
      if (!waiting.empty() && waiting.front()->input != event.input) MR_TRY(flush());
      waiting.push_back(&event);
      continue;
    }
    MR_TRY(flush());
    if (event.kind == KitEvent::Kind::kWatermark) MR_TRY(feed_watermark(event.watermark));
    if (event.kind == KitEvent::Kind::kClock) MR_TRY(feed_clock(event.watermark));
  }
  return flush();
}

std::string kit_difference(std::vector<std::string> expected, std::vector<std::string> actual, bool ordered) {
  if (!ordered) {
    std::ranges::sort(expected);
    std::ranges::sort(actual);
  }
  if (expected == actual) return "";
  std::string text;
  const auto side = [&text](const char* title, const std::vector<std::string>& a, std::vector<std::string> b) {
    size_t shown = 0;
    for (const std::string& line : a) {
      const auto found = std::ranges::find(b, line);
      if (found != b.end()) {
        b.erase(found);
      } else if (++shown <= 5) {
        text += std::string("\n  ") + title + " " + line;
      }
    }
  };
  side("missing:   ", expected, actual);
  side("unexpected:", actual, expected);
  return text.empty() ? "\n  the order differs" : text;
}

/// A case, bound.
struct BoundKitCase {
  Node node;
  std::vector<SchemaPtr> schemas;
};

Result<BoundKitCase> bind_kit_case(const Registry& registry, const KitCase& test) {
  BoundKitCase bound;
  auto node = bind_single_step(registry, test.step, test.inputs, test.inputs_update);
  if (!node) return std::unexpected(std::move(node).error().with_context("the step does not bind"));
  bound.node = std::move(*node);
  for (const std::string& input : test.inputs) {
    // The binder read the same text; only the kit's own rows need it again.
    MR_ASSIGN(const Node read, bind_single_step(registry, "id: s\nunion: [x]", {input}));
    bound.schemas.push_back(read.outputs[0].schema);
  }
  return bound;
}

/// Runs one mode and compares; what failed.
std::vector<std::string> run_kit_mode(const Registry& registry, const BoundKitCase& bound, const KitCase& test,
                                      const KitMode& mode, const PortRows& expected, PortRows& actual) {
  KitRun run(registry, bound.node, test, mode, bound.schemas);
  if (const Status status = run.run(); !status) return {std::string(mode.name) + ": " + status.error().to_string()};
  actual = run.rows();
  std::vector<std::string> failures;
  for (const auto& [port, lines] : expected) {
    const std::string difference = kit_difference(lines, actual[port], test.ordered && !mode.rescale && !mode.spill);
    if (!difference.empty()) failures.push_back(std::string(mode.name) + ", output `" + port + "`:" + difference);
  }
  return failures;
}

}  // namespace

std::vector<std::string> run_operator_case(const Registry& registry, const KitCase& test, PortRows* rows,
                                           KitModes modes) {
  const auto bound = bind_kit_case(registry, test);
  if (!bound) return {bound.error().to_string()};
  std::vector<std::string> failures;
  PortRows expected = test.expect;
  for (const KitMode& mode : kKitModes) {
    if (modes == KitModes::kWithoutRestore && (mode.restore_every > 0 || mode.spill)) continue;
    PortRows actual;
    for (std::string& failure : run_kit_mode(registry, *bound, test, mode, expected, actual)) {
      failures.push_back(std::move(failure));
    }
    if (rows != nullptr && &mode == &kKitModes[0]) *rows = actual;
    if (expected.empty() && failures.empty()) {
      expected = std::move(actual);
      for (const Port& port : bound->node.outputs) expected[port.name];
    }
  }
  return failures;
}

std::vector<std::string> run_operator_case_drawn(const Registry& registry, const KitCase& test, Random& random,
                                                 PortRows* rows) {
  const auto bound = bind_kit_case(registry, test);
  if (!bound) return {bound.error().to_string()};
  KitMode mode;
  mode.batch_rows = random.below(4) == 0 ? kBatchRowsMax : 1 + static_cast<uint32_t>(random.below(6));
  mode.read_late = random.below(2) == 0;
  mode.restore_every = static_cast<uint32_t>(random.below(4));
  mode.rescale = mode.restore_every > 0 && random.below(2) == 0;
  mode.parallelism_max = 2 + static_cast<uint32_t>(random.below(3));
  mode.spill = random.below(512) == 0;  // costs milliseconds
  const std::string name = fmt::format("batches of {}, restored every {}{}{}", mode.batch_rows, mode.restore_every,
                                       mode.rescale ? ", rescaled" : "", mode.spill ? ", spilled" : "");
  mode.name = name.c_str();
  PortRows actual;
  auto failures = run_kit_mode(registry, *bound, test, mode, test.expect, actual);
  if (rows != nullptr) *rows = std::move(actual);
  return failures;
}

}  // namespace millrace
