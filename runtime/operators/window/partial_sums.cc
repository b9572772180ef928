#include "runtime/operators/window/partial_sums.h"

#include <algorithm>
#include <cstring>
#include <map>

#include "data/key_format.h"
#include "runtime/operators/aggregate_row.h"
#include "runtime/operators/row_input.h"
#include "runtime/operators/window/slices.h"

namespace millrace {

namespace {

constexpr uint32_t kCountBytes = 16;           // behind the accumulators: the number of rows
constexpr size_t kEntriesMax = 16 * 1024;      // keys times panes; then all are sent
constexpr size_t kHeldBytesMax = 8 << 20;      // of large accumulators
constexpr size_t kBatchBytesMax = 1 << 20;     // of one batch of partial rows
constexpr uint64_t kJudgedRows = 64 * 1024;    // after so many rows it is decided ...
constexpr uint64_t kPassedRows = 1024 * 1024;  // ... whether the next so many pass unseen
constexpr uint64_t kWorthwhileShare = 4;       // one row in four must vanish

class PartialSums final : public Operator {
 public:
  PartialSums(std::shared_ptr<const WindowConfig> config, std::shared_ptr<AggregateRow> aggregates)
      : config_(std::move(config)),
        geometry_(config_->spec.kind, config_->spec.size_ms, config_->spec.slide_ms, config_->spec.offset_ms),
        aggregates_(std::move(aggregates)) {}

  Status open(const OperatorContext& context) override {
    clock_ = context.clock;
    return {};
  }
  Result<Flow> process(uint32_t input, Batch& batch, Output& out) override;
  Result<Flow> advance(int64_t watermark, Output& out) override {
    const Flow flow = send(watermark, out);
    if (flow == Flow::kNeedInput) watermark_ = std::max(watermark_, watermark);
    return flow;
  }
  [[nodiscard]] bool holds_rows() const override { return !panes_.empty(); }
  Result<Flow> release(Output& out) override { return send(kWatermarkMax, out); }

 private:
  struct Group {
    int64_t pane = 0;
    std::vector<uint32_t> which;  // indexes into rows_
  };

  [[nodiscard]] int64_t closing(int64_t pane) const {
    const int64_t end = geometry_.next_end(pane, kWatermarkMin);
    return end == INT64_MAX ? kWatermarkMin : end - 1;  // in no window: at once
  }
  void group_rows(const Batch& batch);
  void add(const Batch& batch, const Group& group);
  [[nodiscard]] bool full() const;
  void judge();
  Flow send(int64_t watermark, Output& out);

  std::shared_ptr<const WindowConfig> config_;
  WindowGeometry geometry_;
  std::shared_ptr<AggregateRow> aggregates_;
  Clock* clock_ = nullptr;
  int64_t watermark_ = kWatermarkMin;

  // One table per pane; behind the accumulators of a key stands the number of its rows.
  std::map<int64_t, std::unique_ptr<Slice>> panes_;
  bool sending_ = false;  // all of them, before a batch is taken
  uint64_t cursor_ = 0;   // in the first pane, while it is sent

  uint64_t judged_ = 0;
  uint64_t vanished_ = 0;
  uint64_t pass_ = 0;

  // The batch in work.
  std::vector<uint32_t> rows_;
  std::vector<uint8_t> passes_;  // per index into rows_
  std::vector<Group> groups_;
  EncodedKeys keys_;
  RowErrors failed_;
  std::vector<char*> values_;
  std::vector<uint8_t> inserted_;
  std::vector<uint32_t> added_rows_;
  std::vector<char*> added_states_;
  std::vector<char*> walk_;
};

/// What can be added goes into groups_; the rest is marked in passes_.
void PartialSums::group_rows(const Batch& batch) {
  passes_.assign(rows_.size(), 0);
  for (Group& group : groups_) group.which.clear();
  size_t used = 0;
  Group* group = nullptr;
  for (uint32_t i = 0; i < rows_.size(); ++i) {
    const int64_t time = (*batch.event_times)[rows_[i]];
    if (group == nullptr || time < group->pane || time - group->pane >= geometry_.pane_ms()) {
      const int64_t pane = geometry_.pane_of(time);
      const auto known = std::find_if(groups_.begin(), groups_.begin() + static_cast<std::ptrdiff_t>(used),
                                      [pane](const Group& one) { return one.pane == pane; });
      if (static_cast<size_t>(known - groups_.begin()) < used) {
        group = &*known;
      } else {
        if (used == groups_.size()) groups_.emplace_back();
        group = &groups_[used++];
        group->pane = pane;
      }
    }
    group->which.push_back(i);
  }
  for (size_t g = 0; g < used; ++g) {
    if (closing(groups_[g].pane) > watermark_) continue;
    for (const uint32_t i : groups_[g].which) passes_[i] = 1;
    groups_[g].which.clear();
  }
  if (failed_.empty()) return;
  for (Group& one : groups_) {
    std::erase_if(one.which, [this](uint32_t i) {
      passes_[i] = failed_.contains(rows_[i]) ? 1 : 0;
      return passes_[i] != 0;
    });
  }
}

bool PartialSums::full() const {
  size_t entries = 0;
  size_t bytes = 0;
  for (const auto& [start, slice] : panes_) {
    entries += slice->table.size();
    bytes += slice->blobs.bytes();
  }
  return entries >= kEntriesMax || bytes + entries * aggregates_->bytes() >= kHeldBytesMax;
}

void PartialSums::add(const Batch& batch, const Group& group) {
  std::unique_ptr<Slice>& slice = panes_[group.pane];
  if (!slice) slice = std::make_unique<Slice>(aggregates_->bytes() + kCountBytes);
  values_.resize(rows_.size());
  inserted_.assign(rows_.size(), 0);
  slice->table.find_or_insert(keys_, group.which, values_.data(), inserted_.data());
  added_rows_.clear();
  added_states_.clear();
  for (const uint32_t i : group.which) {
    if (inserted_[i] != 0) {
      aggregates_->init(values_[i]);
    } else {
      ++vanished_;
    }
    uint64_t count = 0;
    std::memcpy(&count, values_[i] + aggregates_->bytes(), sizeof(count));
    ++count;
    std::memcpy(values_[i] + aggregates_->bytes(), &count, sizeof(count));
    added_rows_.push_back(rows_[i]);
    added_states_.push_back(values_[i]);
  }
  aggregates_->update(batch, added_rows_, added_states_, slice->blobs, 0);
}

void PartialSums::judge() {
  judged_ += rows_.size();
  if (judged_ < kJudgedRows) return;
  if (vanished_ * kWorthwhileShare < judged_) pass_ = kPassedRows;
  judged_ = 0;
  vanished_ = 0;
}

Result<Flow> PartialSums::process(uint32_t /*input*/, Batch& batch, Output& out) {
  if (pass_ > 0) {
    pass_ -= std::min<uint64_t>(pass_, batch.selected());
    out.emit(0, std::move(batch));
    return Flow::kNeedInput;
  }
  if (sending_ || full()) {
    sending_ = send(kWatermarkMax, out) == Flow::kMoreOutput;
    if (sending_) return Flow::kMoreOutput;
  }
  selected_rows(batch, rows_);
  failed_.clear();
  aggregates_->prepare(batch, rows_, failed_,
                       {.now_ms = clock_ != nullptr ? clock_->wall_ms() : 0, .watermark = watermark_});
  encode_keys(batch, *config_->input, config_->keys, keys_);
  group_rows(batch);
  for (const Group& group : groups_) {
    if (!group.which.empty()) add(batch, group);
  }
  judge();
  auto passing = std::make_shared<std::vector<uint32_t>>();
  for (size_t i = 0; i < rows_.size(); ++i) {
    if (passes_[i] != 0) passing->push_back(rows_[i]);
  }
  if (passing->empty()) return Flow::kNeedInput;
  if (passing->size() < rows_.size()) batch.selection = std::move(passing);
  out.emit(0, std::move(batch));
  return Flow::kNeedInput;
}

/// One batch of partial rows of the panes that a watermark closes.
Flow PartialSums::send(int64_t watermark, Output& out) {
  Batch batch;
  const auto arena = std::make_shared<Arena>();
  std::vector<std::shared_ptr<Column>> keys;
  for (const TypePtr& type : config_->key_types) keys.push_back(make_column(*type));
  std::vector<int64_t> panes;
  std::vector<int64_t> counts;
  std::vector<StringRef> states;
  ByteWriter saved;
  while (!panes_.empty() && closing(panes_.begin()->first) <= watermark && states.size() < kBatchRowsMax &&
         arena->bytes() < kBatchBytesMax) {
    Slice& slice = *panes_.begin()->second;
    walk_.resize(std::min<size_t>(256, kBatchRowsMax - states.size()));
    const size_t found = slice.table.next_rows(cursor_, walk_);
    for (size_t i = 0; i < found; ++i) {
      const bool decoded = decode_key(KeyedTable::key_of(walk_[i]), config_->key_types, keys, *arena);
      MR_CHECK(decoded, "a key that was just encoded cannot be decoded");
      int64_t count = 0;
      std::memcpy(&count, walk_[i] + aggregates_->bytes(), sizeof(count));
      saved.clear();
      aggregates_->save(walk_[i], saved);
      panes.push_back(panes_.begin()->first);
      counts.push_back(count);
      states.push_back(arena->copy(saved.view()));
    }
    if (found > 0) continue;
    panes_.erase(panes_.begin());
    cursor_ = 0;
  }
  if (states.empty()) return Flow::kNeedInput;
  batch.rows = static_cast<uint32_t>(states.size());
  batch.columns.assign(keys.begin(), keys.end());
  const auto add_column = [&batch](PhysicalType type, const auto& values) {
    auto column = std::make_shared<Column>(type);
    column->resize(batch.rows);
    std::memcpy(column->template values<char>(), values.data(), values.size() * sizeof(values[0]));
    batch.columns.push_back(std::move(column));
  };
  add_column(PhysicalType::kInt64, panes);
  add_column(PhysicalType::kInt64, counts);
  add_column(PhysicalType::kString, states);
  batch.event_times = std::make_shared<std::vector<int64_t>>(std::move(panes));
  batch.arenas.push_back(arena);
  out.emit(1, std::move(batch));
  return Flow::kMoreOutput;
}

bool depends_on_place(const TypedExprPtr& expression) {
  if (!expression) return false;
  return expression->kind == ExprKind::kSpecial || std::ranges::any_of(expression->args, depends_on_place);
}

bool order_matters(const AggregateCall& call) {
  return call.function->by_arrival || call.distinct || depends_on_place(call.filter) ||
         std::ranges::any_of(call.args, depends_on_place);
}

}  // namespace

std::optional<PartialStep> bind_partial_sums(const std::shared_ptr<const WindowConfig>& config) {
  const WindowSpec& spec = config->spec;
  const bool sliced =
      spec.kind == WindowKind::kTumbling || spec.kind == WindowKind::kSliding || spec.kind == WindowKind::kCumulating;
  // A row that fires at once, by the clock or because it is late, has to arrive alone. Which rows are late is not known
  // here: behind an input that was idle, or a restore, the window's watermark may be ahead of this one.
  if (!sliced || spec.per_window() || spec.processing_time || spec.allowed_lateness_ms > 0 || spec.purge) {
    return std::nullopt;
  }
  if (config->keys.empty() || std::ranges::any_of(config->calls, order_matters)) return std::nullopt;
  auto schema = std::make_shared<Schema>();
  PartialStep step;
  for (size_t i = 0; i < config->keys.size(); ++i) {
    schema->fields.push_back({config->input->fields[config->keys[i]].name, config->key_types[i]});
    step.key_columns.push_back(static_cast<uint32_t>(i));
  }
  schema->fields.push_back({"$pane", make_type(TypeKind::kBigInt)});
  schema->fields.push_back({"$rows", make_type(TypeKind::kBigInt)});
  schema->fields.push_back({"$state", make_type(TypeKind::kBytes)});
  step.type = kPartialSums;
  step.rows = config->input;
  step.partials = std::move(schema);
  return step;
}

Result<OperatorPtr> make_partial_sums(std::shared_ptr<const WindowConfig> config) {
  MR_ASSIGN(auto aggregates, AggregateRow::make(config->calls));
  return std::make_unique<PartialSums>(std::move(config), std::move(aggregates));
}

}  // namespace millrace
