#include "runtime/operators/window/key_window_operator.h"

#include <algorithm>
#include <ranges>

#include "runtime/operators/binding.h"
#include "runtime/operators/window/key_windows.h"
#include "runtime/operators/window/progress.h"
#include "runtime/operators/window/window_rows.h"

namespace millrace {

namespace {

class KeyWindowOperator final : public Operator {
 public:
  KeyWindowOperator(std::shared_ptr<const WindowConfig> config, std::shared_ptr<AggregateRow> aggregates,
                    std::unique_ptr<WindowOutput> output, std::unique_ptr<Evaluator> gap)
      : config_(config),
        spec_(config_->spec),
        session_(spec_.kind == WindowKind::kSession),
        windows_(aggregates, session_),
        rows_(config, aggregates, std::move(output), std::move(gap)) {
    if (!session_) geometry_ = WindowGeometry(spec_.kind, spec_.size_ms, spec_.slide_ms, spec_.offset_ms);
  }

  Status open(const OperatorContext& context) override {
    context_ = context;
    state_ = context.state("window");
    progress_state_ = context.state("window_progress", StateKind::kSplit);
    rows_.open(context);
    MR_TRY(windows_.back(state_, context, [this](const KeyWindow& window) { return due(window); }));
    if (context.restored == nullptr) return {};
    return restore_progress(progress_state_, context, watermark_, rows_.arrival());
  }

  Result<Flow> process(uint32_t input, Batch& batch, Output& out) override;

  Result<Flow> advance(int64_t watermark, Output& out) override {
    event_watermark_ = watermark;
    if (watermark <= watermark_ && watermark_ != kWatermarkMin) return Flow::kNeedInput;  // told again by a restore
    return spec_.processing_time ? Result<Flow>(Flow::kNeedInput) : fire_until(watermark, out);
  }
  [[nodiscard]] int64_t next_timer_ms() const override {
    return spec_.processing_time ? windows_.next_timer() : INT64_MAX;
  }
  Result<Flow> on_timer(int64_t now_ms, Output& out) override {
    return spec_.processing_time ? fire_until(now_ms, out) : Result<Flow>(Flow::kNeedInput);
  }
  Result<std::vector<SnapshotPartPtr>> snapshot() override {
    std::vector<SnapshotPartPtr> parts;
    parts.push_back(windows_.snapshot(state_, context_.max_parallelism));
    parts.push_back(snapshot_progress(progress_state_, context_.subtask, watermark_, rows_.arrival()));
    return parts;
  }

 private:
  Status take_row(const Batch& batch, size_t i);
  Status add_row(const Batch& batch, size_t i, char* row, int64_t time);
  Status fire_now(const Batch& batch, char* row);
  Result<Flow> fire_until(int64_t time, Output& out);
  Status gather(int64_t time);
  Status fetch(const Batch& batch);
  [[nodiscard]] int64_t time_of(const Batch& batch, size_t i) const;
  void on_due(char* row, int64_t time);
  void on_trigger_due(char* row, int64_t time);
  void add_result(char* row);
  [[nodiscard]] bool passed(int64_t time) const { return watermark_ != kWatermarkMin && time <= watermark_; }
  /// When something has to happen to a window.
  [[nodiscard]] int64_t due(const KeyWindow& window) const {
    if (spec_.trigger.asked_for()) {
      return std::min(window.end - 1 + spec_.allowed_lateness_ms, spec_.trigger.next_time(window.trigger));
    }
    if (window.closed != 0) return window.end - 1 + spec_.allowed_lateness_ms;
    return window.next_fire == kNoTime ? window.end - 1 : std::min(window.next_fire, window.end - 1);
  }
  [[nodiscard]] int64_t shown_watermark() const { return spec_.processing_time ? event_watermark_ : watermark_; }

  std::shared_ptr<const WindowConfig> config_;
  const WindowSpec& spec_;
  bool session_;
  WindowGeometry geometry_;
  KeyWindows windows_;
  WindowRows rows_;
  StateDescriptor state_;
  StateDescriptor progress_state_;
  OperatorContext context_;
  int64_t watermark_ = kWatermarkMin;  // or the wall clock: windows that end before it have fired
  int64_t event_watermark_ = kWatermarkMin;

  bool started_ = false;
  size_t next_row_ = 0;
  std::vector<uint32_t> late_;
  // Results gathered for one batch; rows that go once they are built.
  std::vector<std::string_view> keys_;
  std::vector<const char*> states_;
  std::vector<WindowBounds> bounds_;
  std::vector<char*> purge_;
  std::vector<char*> done_;
};

Result<Flow> KeyWindowOperator::process(uint32_t /*input*/, Batch& batch, Output& out) {
  if (!started_) {
    MR_TRY(rows_.start(batch, shown_watermark()));
    if (windows_.spilled()) MR_TRY(fetch(batch));
    started_ = true;
    next_row_ = 0;
    late_.clear();
  }
  while (next_row_ < rows_.rows().size() && !rows_.full()) MR_TRY(take_row(batch, next_row_++));
  rows_.flush(batch, windows_.blobs());
  rows_.emit_fired(out);
  if (next_row_ < rows_.rows().size()) return Flow::kMoreOutput;
  if (!late_.empty()) {
    if (context_.metrics.late_records) context_.metrics.late_records->add(static_cast<double>(late_.size()));
    Batch late = batch;
    late.selection = std::make_shared<const std::vector<uint32_t>>(late_);
    out.emit(1, std::move(late));
  }
  rows_.finish_batch();
  started_ = false;
  return Flow::kNeedInput;
}

/// A clock that went back must not open a window that has fired.
int64_t KeyWindowOperator::time_of(const Batch& batch, size_t i) const {
  if (!spec_.processing_time) return (*batch.event_times)[rows_.rows()[i]];
  return watermark_ == kWatermarkMin ? rows_.now_ms() : std::max(rows_.now_ms(), watermark_ + 1);
}

/// Brings the windows of the batch into memory.
Status KeyWindowOperator::fetch(const Batch& batch) {
  std::vector<std::string> names;
  for (size_t i = 0; i < rows_.rows().size(); ++i) {
    if (session_) {
      KeyWindows::append_row_key(0, rows_.key(i), names.emplace_back());
      continue;
    }
    const int64_t pane = geometry_.pane_of(time_of(batch, i));
    for (int64_t end = geometry_.next_end(pane, INT64_MIN); end != INT64_MAX; end = geometry_.next_end(pane, end - 1)) {
      if (passed(end - 1 + spec_.allowed_lateness_ms)) continue;
      KeyWindows::append_row_key(geometry_.window_start(end), rows_.key(i), names.emplace_back());
    }
  }
  return windows_.fetch(std::vector<std::string_view>(names.begin(), names.end()));
}

Status KeyWindowOperator::take_row(const Batch& batch, size_t i) {
  const uint32_t physical = rows_.rows()[i];
  const int64_t time = time_of(batch, i);
  if (session_) {
    size_t touched = 0;
    const WindowBounds own{time, time + rows_.gap(physical)};
    const WindowBounds merged = windows_.merged_bounds(rows_.hash(i), rows_.key(i), own, touched);
    if (passed(merged.end - 1 + spec_.allowed_lateness_ms)) {
      late_.push_back(physical);
      return {};
    }
    if (touched > 1) rows_.flush(batch, windows_.blobs());
    return add_row(batch, i, windows_.open_session(rows_.hash(i), rows_.key(i), merged), time);
  }
  const int64_t pane = geometry_.pane_of(time);
  bool taken = false;
  std::vector<int64_t> ends;
  for (int64_t end = geometry_.next_end(pane, INT64_MIN); end != INT64_MAX; end = geometry_.next_end(pane, end - 1)) {
    ends.push_back(end);
  }
  // The newest window first, as Flink assigns them.
  for (const int64_t end : std::views::reverse(ends)) {
    if (passed(end - 1 + spec_.allowed_lateness_ms)) continue;
    taken = true;
    MR_TRY(add_row(batch, i, windows_.open(rows_.hash(i), rows_.key(i), {geometry_.window_start(end), end}), time));
  }
  if (taken) return {};
  if (passed(time + spec_.allowed_lateness_ms) || geometry_.last_end(pane) != INT64_MIN) {
    late_.push_back(physical);
  } else if (context_.metrics.no_window) {
    context_.metrics.no_window->add(1);
  }
  return {};
}

Status KeyWindowOperator::add_row(const Batch& batch, size_t i, char* row, int64_t time) {
  rows_.add(i, KeyWindows::accumulators(row));
  KeyWindow& window = KeyWindows::window(row);
  window.filled = 1;
  if (spec_.trigger.asked_for()) {
    window.trigger.add_row(time);
    if (spec_.trigger.fires(window.trigger)) {
      window.trigger = {};
      MR_TRY(fire_now(batch, row));
    }
  } else if (passed(window.end - 1)) {
    window.closed = 1;
    MR_TRY(fire_now(batch, row));
  } else {
    window.closed = 0;
    if (spec_.early_every_ms > 0 && window.next_fire == kNoTime) {
      // As Flink's ContinuousEventTimeTrigger, Java's remainder included.
      window.next_fire = std::min(time - time % spec_.early_every_ms + spec_.early_every_ms, window.end - 1);
    }
  }
  windows_.set_timer(row, due(window));
  return {};
}

/// Fires what the window holds by now: a late row within the lateness, or a trigger.
Status KeyWindowOperator::fire_now(const Batch& batch, char* row) {
  rows_.flush(batch, windows_.blobs());
  const KeyWindow& window = KeyWindows::window(row);
  MR_TRY(rows_.fire(windows_.key(row), KeyWindows::accumulators(row), {window.start, window.end}, shown_watermark()));
  if (spec_.purge) windows_.purge(row);
  return {};
}

void KeyWindowOperator::add_result(char* row) {
  const KeyWindow& window = KeyWindows::window(row);
  if (window.filled == 0) return;
  keys_.push_back(windows_.key(row));
  states_.push_back(KeyWindows::accumulators(row));
  bounds_.push_back({window.start, window.end});
}

void KeyWindowOperator::on_trigger_due(char* row, int64_t time) {
  KeyWindow& window = KeyWindows::window(row);
  const bool over = time >= window.end - 1 + spec_.allowed_lateness_ms;
  if (spec_.trigger.next_time(window.trigger) <= time) window.trigger.reached = time;
  if (spec_.trigger.fires(window.trigger)) {
    add_result(row);
    window.trigger = {};
    if (spec_.purge && !over) purge_.push_back(row);
  }
  if (over) {
    done_.push_back(row);
  } else {
    windows_.set_timer(row, due(window));
  }
}

void KeyWindowOperator::on_due(char* row, int64_t time) {
  KeyWindow& window = KeyWindows::window(row);
  if (spec_.trigger.asked_for()) return on_trigger_due(row, time);
  if (window.closed != 0) {
    done_.push_back(row);
    return;
  }
  add_result(row);
  if (time < window.end - 1) {
    window.next_fire = std::min(time + spec_.early_every_ms, window.end - 1);
    if (spec_.purge) purge_.push_back(row);
  } else {
    window.closed = 1;
    if (spec_.allowed_lateness_ms == 0) {
      done_.push_back(row);
      return;
    }
    if (spec_.purge) purge_.push_back(row);
  }
  windows_.set_timer(row, due(window));
}

/// Handles timers in order of time until `time`, or until a batch of results is full. A purged window may not be
/// gathered twice, because the rows are built from its accumulators afterwards.
Status KeyWindowOperator::gather(int64_t time) {
  while (states_.size() < kBatchRowsMax && purge_.empty()) {
    MR_ASSIGN(const bool due_now, windows_.has_timer(time));
    if (!due_now) break;
    int64_t at = 0;
    char* row = windows_.pop_timer(at);
    const int64_t wanted = due(KeyWindows::window(row));
    if (wanted > at) {
      windows_.set_timer(row, wanted);
    } else {
      on_due(row, wanted);
    }
  }
  return {};
}

Result<Flow> KeyWindowOperator::fire_until(int64_t time, Output& out) {
  if (windows_.next_timer() <= time) MR_TRY(windows_.balance());  // what fired before has left nothing in hand
  MR_TRY(gather(time));
  MR_ASSIGN(const bool more, windows_.has_timer(time));
  if (!states_.empty()) {
    const int64_t shown = spec_.processing_time ? event_watermark_ : time;
    MR_ASSIGN(Batch result, rows_.output().build(keys_, states_, bounds_, shown));
    rows_.output().errors().flush(out);
    if (spec_.trigger.asked_for() && watermark_ != kWatermarkMin) {
      // A window that a late row triggers may have ended long ago.
      auto times = std::make_shared<std::vector<int64_t>>(*result.event_times);
      for (int64_t& at : *times) at = std::max(at, watermark_ + 1);
      result.event_times = std::move(times);
    }
    out.emit(0, std::move(result));
  }
  keys_.clear();
  states_.clear();
  bounds_.clear();
  for (char* row : purge_) windows_.purge(row);
  for (char* row : done_) windows_.erase(row);
  purge_.clear();
  done_.clear();
  if (more) return Flow::kMoreOutput;
  watermark_ = std::max(watermark_, time);
  if (context_.metrics.state_keys) context_.metrics.state_keys->set(static_cast<double>(windows_.rows()));
  if (context_.metrics.state_bytes) context_.metrics.state_bytes->set(static_cast<double>(windows_.bytes()));
  return Flow::kNeedInput;
}

}  // namespace

Result<OperatorPtr> make_key_window_operator(std::shared_ptr<const WindowConfig> config, const Node& node) {
  MR_ASSIGN(auto aggregates, AggregateRow::make(config->calls));
  MR_ASSIGN(auto output, WindowOutput::make(config, aggregates, node));
  std::unique_ptr<Evaluator> gap;
  if (config->spec.gap) {
    MR_ASSIGN(gap, Evaluator::make({config->spec.gap}));
  }
  return std::make_unique<KeyWindowOperator>(std::move(config), std::move(aggregates), std::move(output),
                                             std::move(gap));
}

}  // namespace millrace
