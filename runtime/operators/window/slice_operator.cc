#include "runtime/operators/window/slice_operator.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <numeric>
#include <ranges>

#include "data/key_format.h"
#include "runtime/operators/binding.h"
#include "runtime/operators/window/output.h"
#include "runtime/operators/window/pane_tree.h"
#include "runtime/operators/window/partial_sums.h"
#include "runtime/operators/window/progress.h"
#include "runtime/operators/window/slices.h"
#include "runtime/operators/window/window_reader.h"

namespace millrace {

namespace {

class SliceOperator final : public Operator {
 public:
  SliceOperator(std::shared_ptr<const WindowConfig> config, std::shared_ptr<AggregateRow> aggregates,
                std::unique_ptr<WindowOutput> output)
      : config_(std::move(config)),
        spec_(config_->spec),
        geometry_(spec_.kind, spec_.size_ms, spec_.slide_ms, spec_.offset_ms),
        aggregates_(std::move(aggregates)),
        output_(std::move(output)),
        store_(aggregates_),
        tree_(geometry_, store_),
        refired_(config_->output),
        late_port_(1) {}

  Status open(const OperatorContext& context) override;
  Result<Flow> process(uint32_t input, Batch& batch, Output& out) override;
  Result<Flow> advance(int64_t watermark, Output& out) override;
  [[nodiscard]] int64_t next_timer_ms() const override;
  Result<Flow> on_timer(int64_t now_ms, Output& out) override;
  Result<std::vector<SnapshotPartPtr>> snapshot() override;

 private:
  enum class Fate : uint8_t { kTake, kLate, kNoWindow };
  struct Group {
    int64_t pane = 0;
    bool fired = false;           // a window of this pane has fired: rows fire again at once
    std::vector<uint32_t> which;  // indexes into rows_
  };

  Status start(const Batch& batch, Output& out);
  Status take_partials(const Batch& batch);
  Status add_partial(uint32_t index, std::string_view saved, Slice& slice);
  [[nodiscard]] int64_t first_open_time() const;
  void assign(const Batch& batch);
  [[nodiscard]] Fate fate_of(int64_t time, int64_t pane) const;
  void group_rows(const Batch& batch);
  Group& group_at(int64_t time);
  void update_panes(const Batch& batch);
  void update_sums(const Batch& batch);
  void add_rows(const Batch& batch, const std::vector<uint32_t>& indexes, Slice& slice);
  /// The pane and the sums that hold it: all that a row of the pane has to be added to.
  std::span<Slice* const> targets_of(int64_t pane);
  Status refire_row(const Batch& batch, uint32_t index);
  Result<char*> sum_of_key(int64_t start, int64_t end, uint32_t index, Slice& sum);
  Status emit_refired(int64_t end, uint32_t index, const char* state);
  [[nodiscard]] int64_t time_of(const Batch& batch, uint32_t row) const {
    return spec_.processing_time ? now_ms_ : (*batch.event_times)[row];
  }

  Result<Flow> fire_until(int64_t time, int64_t shown_watermark, Output& out);
  [[nodiscard]] int64_t next_window_end(int64_t after) const;
  Result<bool> gather(int64_t time);
  void open_window(int64_t end);
  Result<size_t> read_window();
  Status purge();
  Status expire();
  void report_state();

  std::shared_ptr<const WindowConfig> config_;
  const WindowSpec& spec_;
  WindowGeometry geometry_;
  std::shared_ptr<AggregateRow> aggregates_;
  std::unique_ptr<WindowOutput> output_;
  SliceStore store_;
  PaneTree tree_;
  BatchBuilder refired_;
  uint32_t late_port_;
  StateDescriptor state_;
  StateDescriptor progress_state_;
  OperatorContext context_;

  int64_t watermark_ = kWatermarkMin;        // windows with end - 1 <= watermark_ have fired
  int64_t event_watermark_ = kWatermarkMin;  // shown by CURRENT_WATERMARK() in processing time
  int64_t now_ms_ = 0;
  uint64_t next_arrival_ = 0;

  // The batch in work.
  bool started_ = false;
  std::vector<uint32_t> rows_;  // physical rows to aggregate
  std::vector<uint32_t> late_;
  std::vector<Group> groups_;
  size_t groups_used_ = 0;
  std::vector<uint32_t> refire_;  // indexes into rows_, in order of arrival
  size_t refire_next_ = 0;
  EncodedKeys keys_;
  RowErrors failed_;
  std::vector<char*> values_;
  std::vector<uint8_t> inserted_;
  std::vector<uint32_t> group_rows_;
  std::vector<char*> group_states_;
  std::vector<Slice*> targets_;

  // One partial row, while it is added.
  std::vector<uint32_t> partial_keys_;
  std::unique_ptr<char[]> partial_state_;
  BlobPool partial_blobs_;

  // The windows in work: results gathered for one batch, and the cursor in the window that is being read.
  bool firing_ = false;
  int64_t firing_end_ = 0;
  Slice* firing_slice_ = nullptr;
  uint64_t firing_cursor_ = 0;
  std::unique_ptr<WindowReader> reader_;  // of a window whose panes are not all in memory
  std::vector<SlicePtr> merged_;          // tables of windows, alive until the batch is built
  std::vector<std::string_view> fired_keys_;
  std::vector<const char*> fired_states_;
  std::vector<WindowBounds> fired_bounds_;
  std::vector<const char*> walk_;
  std::vector<SlicePtr> parts_;
  std::vector<Slice*> purged_;
};

Status SliceOperator::open(const OperatorContext& context) {
  context_ = context;
  state_ = context.state("window");
  progress_state_ = context.state("window_progress", StateKind::kSplit);
  output_->open(context);
  OperatorContext of_panes = context;
  // Single rows of a pane are erased when late rows fire a window that purges: those panes stay in memory.
  if (spec_.purge && spec_.allowed_lateness_ms > 0) of_panes.store = nullptr;
  MR_TRY(store_.open(state_, of_panes));
  if (context.restored == nullptr) return {};
  return restore_progress(progress_state_, context, watermark_, next_arrival_);
}

Result<std::vector<SnapshotPartPtr>> SliceOperator::snapshot() {
  std::vector<SnapshotPartPtr> parts;
  parts.push_back(store_.snapshot(state_, context_.max_parallelism));
  parts.push_back(snapshot_progress(progress_state_, context_.subtask, watermark_, next_arrival_));
  return parts;
}

// ---- rows ----

SliceOperator::Fate SliceOperator::fate_of(int64_t time, int64_t pane) const {
  const int64_t last_end = geometry_.last_end(pane);
  const int64_t closing = last_end == INT64_MIN ? time : last_end - 1;
  if (watermark_ != kWatermarkMin && closing + spec_.allowed_lateness_ms <= watermark_) return Fate::kLate;
  return last_end == INT64_MIN ? Fate::kNoWindow : Fate::kTake;
}

/// From this time on every row is taken: its pane is in a window, and the last one is not over. INT64_MAX: ask fate_of.
int64_t SliceOperator::first_open_time() const {
  if (geometry_.slide_ms() > geometry_.size_ms()) return INT64_MAX;
  if (watermark_ == kWatermarkMin) return INT64_MIN;
  return watermark_ < INT64_MAX / 2 ? geometry_.pane_of(watermark_ + 1) : INT64_MAX;
}

/// Splits the selected rows into those to aggregate (rows_), late ones and those in no window.
void SliceOperator::assign(const Batch& batch) {
  rows_.clear();
  late_.clear();
  uint32_t no_window = 0;
  const int64_t taken_from = first_open_time();
  for_each_row(batch, [&](uint32_t row) {
    const int64_t time = time_of(batch, row);
    const Fate fate = time >= taken_from ? Fate::kTake : fate_of(time, geometry_.pane_of(time));
    if (fate == Fate::kTake) {
      rows_.push_back(row);
    } else if (fate == Fate::kLate) {
      late_.push_back(row);
    } else {
      ++no_window;
    }
  });
  if (context_.metrics.late_records && !late_.empty()) {
    context_.metrics.late_records->add(static_cast<double>(late_.size()));
  }
  if (context_.metrics.no_window && no_window > 0) context_.metrics.no_window->add(no_window);
}

/// Comparing with the panes of a batch, which are few, is cheaper than dividing.
SliceOperator::Group& SliceOperator::group_at(int64_t time) {
  const auto width = static_cast<uint64_t>(geometry_.pane_ms());
  for (size_t i = 0; i < groups_used_; ++i) {
    if (static_cast<uint64_t>(time) - static_cast<uint64_t>(groups_[i].pane) < width) return groups_[i];
  }
  const int64_t pane = geometry_.pane_of(time);
  for (size_t i = 0; i < groups_used_; ++i) {  // of a time that is clamped
    if (groups_[i].pane == pane) return groups_[i];
  }
  if (groups_used_ == groups_.size()) groups_.emplace_back();
  Group& group = groups_[groups_used_++];
  group.pane = pane;
  group.which.clear();
  const int64_t first_end = geometry_.next_end(pane, kWatermarkMin);
  group.fired = watermark_ != kWatermarkMin && first_end - 1 <= watermark_;
  return group;
}

void SliceOperator::group_rows(const Batch& batch) {
  groups_used_ = 0;
  refire_.clear();
  refire_next_ = 0;
  Group* group = nullptr;
  for (uint32_t i = 0; i < rows_.size(); ++i) {
    const int64_t time = time_of(batch, rows_[i]);
    if (group == nullptr || time < group->pane || time - group->pane >= geometry_.pane_ms()) {
      group = &group_at(time);
    }
    // Panes whose windows fired without being over only exist within allowed_lateness, or before the end of a
    // sliding window that is still open; there nothing fires again.
    if (group->fired && spec_.allowed_lateness_ms > 0) {
      refire_.push_back(i);
    } else {
      group->which.push_back(i);
    }
  }
}

void SliceOperator::update_panes(const Batch& batch) {
  for (size_t i = 0; i < groups_used_; ++i) {
    if (!groups_[i].which.empty()) add_rows(batch, groups_[i].which, store_.open_slice(groups_[i].pane));
  }
}

/// Rows of panes that are part of sums already. A sum may hold several of them; its rows are added as they came.
void SliceOperator::update_sums(const Batch& batch) {
  if (!tree_.used()) return;
  std::map<Slice*, std::vector<uint32_t>> rows;
  for (size_t i = 0; i < groups_used_; ++i) {
    if (!groups_[i].fired || groups_[i].which.empty()) continue;
    targets_.clear();
    tree_.sums_of(groups_[i].pane, targets_);
    for (Slice* sum : targets_) {
      rows[sum].insert(rows[sum].end(), groups_[i].which.begin(), groups_[i].which.end());
    }
  }
  for (auto& [sum, indexes] : rows) {
    std::ranges::sort(indexes);
    add_rows(batch, indexes, *sum);
  }
}

std::span<Slice* const> SliceOperator::targets_of(int64_t pane) {
  targets_.assign(1, &store_.open_slice(pane));
  if (tree_.used()) tree_.sums_of(pane, targets_);
  return targets_;
}

void SliceOperator::add_rows(const Batch& batch, const std::vector<uint32_t>& indexes, Slice& slice) {
  const bool all = indexes.size() == rows_.size();
  const std::span<const uint32_t> which = all ? std::span<const uint32_t>{} : indexes;
  values_.resize(rows_.size());
  inserted_.resize(rows_.size());
  slice.table.find_or_insert(keys_, which, values_.data(), inserted_.data());
  if (all) {
    for (size_t i = 0; i < rows_.size(); ++i) {
      if (inserted_[i] != 0) aggregates_->init(values_[i]);
    }
    aggregates_->update(batch, rows_, values_, slice.blobs, next_arrival_);
    return;
  }
  group_rows_.clear();
  group_states_.clear();
  for (uint32_t i : which) {
    if (inserted_[i] != 0) aggregates_->init(values_[i]);
    group_rows_.push_back(rows_[i]);
    group_states_.push_back(values_[i]);
  }
  aggregates_->update(batch, group_rows_, group_states_, slice.blobs, next_arrival_, which.data());
}

Status SliceOperator::start(const Batch& batch, Output& out) {
  now_ms_ = context_.clock != nullptr ? context_.clock->wall_ms() : 0;
  // A clock that went back must not reopen a window that has fired.
  if (spec_.processing_time && watermark_ != kWatermarkMin) now_ms_ = std::max(now_ms_, watermark_ + 1);
  if (store_.spilled()) tree_.disable();
  assign(batch);
  if (!late_.empty()) {
    Batch late = batch;
    late.selection = std::make_shared<const std::vector<uint32_t>>(late_);
    out.emit(late_port_, std::move(late));
  }
  const EvalContext context{.now_ms = now_ms_, .watermark = spec_.processing_time ? event_watermark_ : watermark_};
  aggregates_->prepare(batch, rows_, failed_, context);
  MR_TRY(output_->errors().handle(batch, *config_->input, failed_, rows_));
  Batch keyed = batch;
  if (rows_.size() < batch.selected()) keyed.selection = std::make_shared<const std::vector<uint32_t>>(rows_);
  encode_keys(keyed, *config_->input, config_->keys, keys_);
  group_rows(batch);
  update_panes(batch);
  update_sums(batch);
  return {};
}

/// Rows that were summed up in front of the exchange (partial_sums.h): all of one pane and key.
Status SliceOperator::take_partials(const Batch& batch) {
  const PartialColumns columns(*config_);
  partial_keys_.resize(config_->keys.size());
  std::iota(partial_keys_.begin(), partial_keys_.end(), 0U);
  encode_keys(batch, *config_->partials, partial_keys_, keys_);
  if (!partial_state_) partial_state_ = std::make_unique<char[]>(aggregates_->bytes());
  for (uint32_t i = 0; i < batch.selected(); ++i) {
    const uint32_t row = batch.row_at(i);
    const int64_t pane = batch.columns[columns.pane]->values<int64_t>()[row];
    if (fate_of(pane, pane) != Fate::kTake) {
      const int64_t late = batch.columns[columns.rows()]->values<int64_t>()[row];
      if (context_.metrics.late_records) context_.metrics.late_records->add(static_cast<double>(late));
      continue;
    }
    const std::string_view saved = batch.columns[columns.state()]->values<StringRef>()[row].view();
    for (Slice* slice : targets_of(pane)) MR_TRY(add_partial(i, saved, *slice));
  }
  return {};
}

Status SliceOperator::add_partial(uint32_t index, std::string_view saved, Slice& slice) {
  ByteReader in(saved);
  bool inserted = false;
  char* state = slice.table.insert(keys_.hashes[index], keys_.keys[index], &inserted);
  if (inserted) {
    aggregates_->init(state);
    return aggregates_->load(in, state, slice.blobs);
  }
  std::memset(partial_state_.get(), 0, aggregates_->bytes());
  aggregates_->init(partial_state_.get());
  MR_TRY(aggregates_->load(in, partial_state_.get(), partial_blobs_));
  aggregates_->merge(state, partial_state_.get(), slice.blobs);
  aggregates_->drop(partial_state_.get(), partial_blobs_);
  return {};
}

Result<Flow> SliceOperator::process(uint32_t input, Batch& batch, Output& out) {
  if (input == 1) {
    MR_TRY(take_partials(batch));
    return Flow::kNeedInput;
  }
  if (!started_) MR_TRY(start(batch, out));
  started_ = true;
  while (refire_next_ < refire_.size() && refired_.rows() < kBatchRowsMax) {
    MR_TRY(refire_row(batch, refire_[refire_next_]));
    ++refire_next_;
  }
  output_->errors().flush(out);
  if (refired_.rows() > 0) out.emit(0, refired_.finish());
  if (refire_next_ < refire_.size()) return Flow::kMoreOutput;
  next_arrival_ += rows_.size();
  started_ = false;
  return Flow::kNeedInput;
}

/// A row that is late within allowed_lateness: added, then every fired window that is not over yet fires for its key.
Status SliceOperator::refire_row(const Batch& batch, uint32_t index) {
  const uint32_t row = rows_[index];
  const int64_t pane = geometry_.pane_of(time_of(batch, row));
  char* state = nullptr;
  for (Slice* slice : targets_of(pane)) {
    bool inserted = false;
    char* at = slice->table.insert(keys_.hashes[index], keys_.keys[index], &inserted);
    if (inserted) aggregates_->init(at);
    aggregates_->update(batch, {&row, 1}, {&at, 1}, slice->blobs, next_arrival_ + index);
    if (state == nullptr) state = at;
  }
  std::vector<int64_t> ends;
  int64_t next = geometry_.next_end(pane, watermark_ - spec_.allowed_lateness_ms);
  for (; next != INT64_MAX && next - 1 <= watermark_; next = geometry_.next_end(pane, next - 1)) ends.push_back(next);
  // The newest window first, as Flink assigns them.
  for (const int64_t end : std::views::reverse(ends)) {
    const int64_t start = geometry_.window_start(end);
    if (end - start == geometry_.pane_ms() && store_.find(pane)->runs.empty()) {
      MR_TRY(emit_refired(end, index, state));
      continue;
    }
    Slice sum(aggregates_->bytes());
    MR_ASSIGN(const char* total, sum_of_key(start, end, index, sum));
    MR_TRY(emit_refired(end, index, total));
  }
  if (spec_.purge) {  // windows of one pane only
    Slice& slice = store_.open_slice(pane);
    aggregates_->drop(state, slice.blobs);
    slice.table.erase(keys_.hashes[index], keys_.keys[index]);
  }
  return {};
}

Result<char*> SliceOperator::sum_of_key(int64_t start, int64_t end, uint32_t index, Slice& sum) {
  char* total = sum.table.insert(keys_.hashes[index], keys_.keys[index], nullptr);
  aggregates_->init(total);
  parts_.clear();
  tree_.known_parts_of(start, end, parts_);
  for (const SlicePtr& part : parts_) {
    const char* found = part->table.find(keys_.hashes[index], keys_.keys[index]);
    if (found != nullptr) aggregates_->merge(total, found, sum.blobs);
    if (part->runs.empty()) continue;
    MR_TRY(store_.runs()->add_key(*part, keys_.hashes[index], keys_.keys[index], total, sum.blobs));
  }
  return total;
}

Status SliceOperator::emit_refired(int64_t end, uint32_t index, const char* state) {
  const WindowBounds bounds{geometry_.window_start(end), end};
  MR_ASSIGN(const Batch result, output_->build({&keys_.keys[index], 1}, {&state, 1}, {&bounds, 1}, watermark_));
  static constexpr uint32_t kOnlyRow = 0;
  if (!result.empty()) refired_.append(result, &kOnlyRow, 1);
  return {};
}

// ---- firing ----

Result<Flow> SliceOperator::advance(int64_t watermark, Output& out) {
  if (!spec_.processing_time) return fire_until(watermark, watermark, out);
  event_watermark_ = watermark;
  return Flow::kNeedInput;
}

int64_t SliceOperator::next_timer_ms() const {
  if (!spec_.processing_time) return INT64_MAX;
  const int64_t end = next_window_end(watermark_);
  return end == INT64_MAX ? INT64_MAX : end - 1;
}

Result<Flow> SliceOperator::on_timer(int64_t now_ms, Output& out) {
  if (!spec_.processing_time) return Flow::kNeedInput;
  return fire_until(now_ms, event_watermark_, out);
}

/// Ends grow with panes, so the first pane that has an end left decides.
int64_t SliceOperator::next_window_end(int64_t after) const {
  auto pane = store_.slices().lower_bound(geometry_.first_pane_behind(after));
  for (; pane != store_.slices().end(); ++pane) {
    const int64_t end = geometry_.next_end(pane->first, after);
    if (end != INT64_MAX) return end;
  }
  return INT64_MAX;
}

void SliceOperator::open_window(int64_t end) {
  firing_ = true;
  firing_end_ = end;
  firing_cursor_ = 0;
  const int64_t start = geometry_.window_start(end);
  if (end - start == geometry_.pane_ms()) {
    firing_slice_ = store_.find(start);
    if (spec_.purge) purged_.push_back(firing_slice_);
    if (firing_slice_->runs.empty()) return;
  }
  parts_.clear();
  tree_.parts_of(start, end, parts_);
  if (std::ranges::any_of(parts_, [](const SlicePtr& part) { return !part->runs.empty(); })) {
    reader_ = std::make_unique<WindowReader>(store_, parts_);
    return;
  }
  merged_.push_back(parts_.size() == 1 ? parts_[0] : store_.make_slice());
  firing_slice_ = merged_.back().get();
  if (parts_.size() == 1) return;
  for (const SlicePtr& part : parts_) store_.merge(*part, *firing_slice_);
}

/// Puts the next keys of the firing window behind fired_states_; answers how many.
Result<size_t> SliceOperator::read_window() {
  const Slice* from = firing_slice_;
  uint64_t first = 0;
  size_t limit = kBatchRowsMax - fired_states_.size();
  if (reader_) {
    merged_.push_back(store_.make_slice());
    from = merged_.back().get();
    MR_ASSIGN(limit, reader_->read(limit, *merged_.back()));
  }
  walk_.resize(limit);
  const size_t count = from->table.peek_rows(reader_ ? first : firing_cursor_, walk_);
  const WindowBounds bounds{geometry_.window_start(firing_end_), firing_end_};
  for (size_t i = 0; i < count; ++i) {
    fired_keys_.push_back(KeyedTable::key_of(walk_[i]));
    fired_states_.push_back(walk_[i]);
    fired_bounds_.push_back(bounds);
  }
  return count;
}

/// Collects results of fired windows, in order of window ends, up to one batch. False: nothing is left until `time`.
Result<bool> SliceOperator::gather(int64_t time) {
  while (fired_states_.size() < kBatchRowsMax) {
    if (!firing_) {
      const int64_t end = next_window_end(watermark_);
      if (end == INT64_MAX || end - 1 > time) return false;
      open_window(end);
    }
    MR_ASSIGN(const size_t count, read_window());
    if (count > 0) continue;
    watermark_ = firing_end_ - 1;
    firing_ = false;
    reader_.reset();
  }
  return true;
}

Result<Flow> SliceOperator::fire_until(int64_t time, int64_t shown_watermark, Output& out) {
  if (store_.spilled()) tree_.disable();
  MR_ASSIGN(const bool more, gather(time));
  if (!fired_states_.empty()) {
    MR_ASSIGN(Batch result, output_->build(fired_keys_, fired_states_, fired_bounds_, shown_watermark));
    output_->errors().flush(out);
    out.emit(0, std::move(result));
  }
  fired_keys_.clear();
  fired_states_.clear();
  fired_bounds_.clear();
  // A window that goes on in the next batch keeps its sum and its pane.
  const bool keep_last = firing_ && !merged_.empty() && merged_.back().get() == firing_slice_;
  merged_.erase(merged_.begin(), merged_.end() - (keep_last ? 1 : 0));
  MR_TRY(purge());
  if (more) return Flow::kMoreOutput;
  watermark_ = std::max(watermark_, time);
  MR_TRY(expire());
  report_state();
  return Flow::kNeedInput;
}

/// Empties the panes of windows that have been read to their end.
Status SliceOperator::purge() {
  for (Slice* slice : purged_) {
    if (!firing_ || slice != firing_slice_) MR_TRY(store_.clear(*slice));
  }
  std::erase_if(purged_, [this](const Slice* slice) { return !firing_ || slice != firing_slice_; });
  return {};
}

Status SliceOperator::expire() {
  if (watermark_ == kWatermarkMin) return {};
  tree_.expire(watermark_ - spec_.allowed_lateness_ms);
  while (!store_.slices().empty()) {
    const int64_t pane = store_.slices().begin()->first;
    if (geometry_.last_end(pane) - 1 > watermark_ - spec_.allowed_lateness_ms) return {};
    MR_TRY(store_.erase(pane));
  }
  return {};
}

void SliceOperator::report_state() {
  if (context_.metrics.state_keys) context_.metrics.state_keys->set(static_cast<double>(store_.rows()));
  const size_t bytes = store_.bytes() + tree_.bytes();
  if (context_.metrics.state_bytes) context_.metrics.state_bytes->set(static_cast<double>(bytes));
}

}  // namespace

Result<OperatorPtr> make_slice_operator(std::shared_ptr<const WindowConfig> config, const Node& node) {
  MR_ASSIGN(auto aggregates, AggregateRow::make(config->calls));
  MR_ASSIGN(auto output, WindowOutput::make(config, aggregates, node));
  return std::make_unique<SliceOperator>(std::move(config), std::move(aggregates), std::move(output));
}

}  // namespace millrace
