#include "runtime/operators/window/global_operator.h"

#include <algorithm>

#include "runtime/operators/keyed_rows.h"
#include "runtime/operators/row_timers.h"
#include "runtime/operators/window/progress.h"
#include "runtime/operators/window/window_rows.h"

namespace millrace {

namespace {

constexpr int64_t kNoTimer = INT64_MAX;

/// Stands before the accumulators.
struct GlobalWindow {
  TriggerState trigger;
  int64_t timer;  // kNoTimer: none
  int64_t reserved;
};
static_assert(sizeof(GlobalWindow) % 16 == 0);

class GlobalOperator final : public Operator {
 public:
  GlobalOperator(std::shared_ptr<const WindowConfig> config, std::shared_ptr<AggregateRow> aggregates,
                 std::unique_ptr<WindowOutput> output)
      : config_(config),
        spec_(config_->spec),
        aggregates_(aggregates),
        state_rows_(static_cast<uint32_t>(sizeof(GlobalWindow)) + aggregates->bytes(), 0),
        rows_(config, aggregates, std::move(output)) {}

  Status open(const OperatorContext& context) override;
  Result<Flow> process(uint32_t input, Batch& batch, Output& out) override;
  Result<Flow> advance(int64_t watermark, Output& out) override {
    event_watermark_ = watermark;
    if (spec_.processing_time) return Flow::kNeedInput;
    if (watermark <= watermark_ && watermark_ != kWatermarkMin) return Flow::kNeedInput;  // told again by a restore
    return fire_until(watermark, out);
  }
  [[nodiscard]] int64_t next_timer_ms() const override { return spec_.processing_time ? timers_.next() : INT64_MAX; }
  Result<Flow> on_timer(int64_t now_ms, Output& out) override { return fire_until(now_ms, out); }
  Result<std::vector<SnapshotPartPtr>> snapshot() override;

 private:
  static GlobalWindow& window(char* row) { return *reinterpret_cast<GlobalWindow*>(row); }
  static char* accumulators(char* row) { return row + sizeof(GlobalWindow); }
  Status take_row(const Batch& batch, size_t i);
  Status fire(char* row, int64_t event_time, int64_t watermark);
  Result<Flow> fire_until(int64_t time, Output& out);
  void set_timer(char* row);
  [[nodiscard]] KeyedRows::Codec codec();

  std::shared_ptr<const WindowConfig> config_;
  const WindowSpec& spec_;
  std::shared_ptr<AggregateRow> aggregates_;
  KeyedRows state_rows_;
  WindowRows rows_;
  StateDescriptor state_;
  StateDescriptor progress_state_;
  OperatorContext context_;
  RowTimers timers_{state_rows_};
  int64_t watermark_ = kWatermarkMin;
  int64_t event_watermark_ = kWatermarkMin;
  bool started_ = false;
  size_t next_row_ = 0;
};

Status GlobalOperator::open(const OperatorContext& context) {
  context_ = context;
  state_ = context.state("window");
  progress_state_ = context.state("window_progress", StateKind::kSplit);
  rows_.open(context);
  MR_TRY(timers_.left().open(context, state_, "timers"));
  MR_TRY(state_rows_.back(state_, context, codec()));
  MR_TRY(state_rows_.visit_held([this](std::string_view key, ByteReader& value) -> Status {
    TriggerState trigger;
    trigger.load(value);
    const int64_t next = spec_.trigger.next_time(trigger);
    if (next != kNoTimer) timers_.left().set(next, key);
    return {};
  }));
  if (context.restored == nullptr) return {};
  return restore_progress(progress_state_, context, watermark_, rows_.arrival());
}

KeyedRows::Codec GlobalOperator::codec() {
  return {.save =
              [aggregates = aggregates_](const char* row, ByteWriter& out) {
                reinterpret_cast<const GlobalWindow*>(row)->trigger.save(out);
                aggregates->save(row + sizeof(GlobalWindow), out);
              },
          .load =
              [this](char* row, ByteReader& in) {
                GlobalWindow& held = window(row);
                held.trigger.load(in);
                held.timer = kNoTimer;
                set_timer(row);
                aggregates_->init(accumulators(row));
                return aggregates_->load(in, accumulators(row), state_rows_.blobs());
              },
          .drop =
              [this](char* row) {
                if (window(row).timer != kNoTimer) timers_.leave(window(row).timer, row);
                aggregates_->drop(accumulators(row), state_rows_.blobs());
              },
          .timers = &timers_.left(),
          .bytes_beside = sizeof(std::pair<int64_t, char*>) * 4};
}

Result<std::vector<SnapshotPartPtr>> GlobalOperator::snapshot() {
  std::vector<SnapshotPartPtr> parts;
  parts.push_back(state_rows_.snapshot(state_, context_.max_parallelism, codec().save));
  parts.push_back(snapshot_progress(progress_state_, context_.subtask, watermark_, rows_.arrival()));
  return parts;
}

Result<Flow> GlobalOperator::process(uint32_t /*input*/, Batch& batch, Output& out) {
  if (!started_) {
    MR_TRY(rows_.start(batch, event_watermark_));
    MR_TRY(state_rows_.fetch(rows_.keys().keys));
    started_ = true;
    next_row_ = 0;
  }
  while (next_row_ < rows_.rows().size() && !rows_.full()) MR_TRY(take_row(batch, next_row_++));
  rows_.flush(batch, state_rows_.blobs());
  rows_.emit_fired(out);
  if (next_row_ < rows_.rows().size()) return Flow::kMoreOutput;
  rows_.finish_batch();
  started_ = false;
  return Flow::kNeedInput;
}

Status GlobalOperator::take_row(const Batch& batch, size_t i) {
  bool inserted = false;
  char* row = state_rows_.insert_fetched(rows_.hash(i), rows_.key(i), &inserted);
  GlobalWindow& held = window(row);
  if (inserted) {
    held.timer = kNoTimer;
    aggregates_->init(accumulators(row));
  }
  const int64_t time = (*batch.event_times)[rows_.rows()[i]];
  rows_.add(i, accumulators(row));
  held.trigger.add_row(spec_.processing_time ? rows_.now_ms() : time);
  if (spec_.trigger.fires(held.trigger)) {
    rows_.flush(batch, state_rows_.blobs());
    return fire(row, time, event_watermark_);
  }
  if (held.trigger.rows == 1) set_timer(row);
  return {};
}

/// The timer of what the trigger waits for.
void GlobalOperator::set_timer(char* row) {
  GlobalWindow& held = window(row);
  const int64_t next = spec_.trigger.next_time(held.trigger);
  if (next == held.timer) return;
  if (held.timer != kNoTimer) timers_.erase(held.timer, row);
  if (next != kNoTimer) timers_.set(next, row);
  held.timer = next;
}

/// Resets the trigger; the window is emptied, or keeps its rows. REQUIRES: no update is pending.
Status GlobalOperator::fire(char* row, int64_t event_time, int64_t watermark) {
  const WindowBounds bounds{0, event_time + 1};
  MR_TRY(rows_.fire(state_rows_.key(row), accumulators(row), bounds, watermark));
  window(row).trigger = {};
  set_timer(row);
  if (spec_.purge) {
    aggregates_->drop(accumulators(row), state_rows_.blobs());
    state_rows_.erase(row);
    return {};
  }
  return {};
}

Result<Flow> GlobalOperator::fire_until(int64_t time, Output& out) {
  if (timers_.next() <= time) MR_TRY(state_rows_.balance());  // what fired before has left nothing in hand
  bool more = true;
  while (!rows_.full()) {
    MR_ASSIGN(more, timers_.due(time));
    if (!more) break;
    const auto [deadline, timed_row] = timers_.pop();
    char* row = state_rows_.writable(timed_row);
    GlobalWindow& held = window(row);
    held.timer = kNoTimer;
    held.trigger.reached = deadline;
    if (!spec_.trigger.fires(held.trigger)) {
      set_timer(row);
      continue;
    }
    // A late row's deadline may lie behind what was passed on already.
    const int64_t event_time = watermark_ == kWatermarkMin ? deadline : std::max(deadline, watermark_ + 1);
    MR_TRY(fire(row, event_time, spec_.processing_time ? event_watermark_ : time));
  }
  rows_.emit_fired(out);
  if (more) return Flow::kMoreOutput;
  if (!spec_.processing_time) watermark_ = std::max(watermark_, time);
  if (context_.metrics.state_keys) context_.metrics.state_keys->set(static_cast<double>(state_rows_.rows()));
  if (context_.metrics.state_bytes) context_.metrics.state_bytes->set(static_cast<double>(state_rows_.bytes()));
  return Flow::kNeedInput;
}

}  // namespace

Result<OperatorPtr> make_global_operator(std::shared_ptr<const WindowConfig> config, const Node& node) {
  MR_ASSIGN(auto aggregates, AggregateRow::make(config->calls));
  MR_ASSIGN(auto output, WindowOutput::make(config, aggregates, node));
  return std::make_unique<GlobalOperator>(std::move(config), std::move(aggregates), std::move(output));
}

}  // namespace millrace
