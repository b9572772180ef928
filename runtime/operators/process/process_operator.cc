// Runs the actions of one row or timer at a time over a batch of one row. State columns are made when an expression
// reads them and thrown away when the state is written.
#include "runtime/operators/process/process_operator.h"

#include "data/row_codec.h"
#include "runtime/expr/evaluator.h"
#include "runtime/operators/process/key_state.h"
#include "runtime/operators/row_errors.h"
#include "runtime/operators/timed_rows.h"

namespace millrace {
namespace {

struct ProcessPort {
  std::vector<std::shared_ptr<Column>> columns;
  ArenaPtr arena;
  std::vector<int64_t> times;
};

class ProcessOperator final : public TimedRows<ProcessKey, ProcessCodec> {
 public:
  ProcessOperator(std::shared_ptr<const ProcessConfig> config, std::vector<std::unique_ptr<Evaluator>> evaluators,
                  const Node& node)
      : TimedRows(RowInput(config->input, config->keys), "process"),
        config_(std::move(config)),
        evaluators_(std::move(evaluators)),
        errors_(node) {
    for (const TypedExprPtr& expression : config_->expressions) collect_columns(*expression, reads_.emplace_back());
    for (size_t i = 0; i < config_->outputs.size(); ++i) reset_port(i);
    frame_.rows = 1;
    frame_.event_times = std::make_shared<const std::vector<int64_t>>(1, 0);
    first_state_ = static_cast<uint32_t>(config_->input->size());
    first_item_ = first_state_ + static_cast<uint32_t>(config_->states.size());
    frame_.columns.resize(first_item_ + config_->items.size());
  }

  Status open(const OperatorContext& context) override {
    errors_.open(context);
    return TimedRows::open(context);
  }

  Result<Flow> advance(int64_t watermark, Output& out) override {
    advancing_ = watermark;
    return TimedRows::advance(watermark, out);
  }

  [[nodiscard]] int64_t next_timer_ms() const override {
    return watermark_ == kWatermarkMax ? INT64_MAX : wall_timers_.next();
  }

  Result<Flow> on_timer(int64_t now_ms, Output& out) override {
    if (watermark_ == kWatermarkMax) return Flow::kNeedInput;
    MR_ASSIGN(const bool fired, fire_keys(
                                    wall_timers_, *store_, now_ms, [this] { return full(); },
                                    [this](const std::string& key, int64_t time) {
                                      const int64_t event_time = watermark_ == kWatermarkMin ? time : watermark_ + 1;
                                      return fire_timers(key, time, 1, event_time);
                                    }));
    flush(out);
    return fired ? Flow::kNeedInput : Flow::kMoreOutput;
  }

 protected:
  Status take(const Batch& batch, const InputRow& in) override {
    const Batch row = gather(batch, *config_->input, std::span(&in.row, 1));
    std::copy(row.columns.begin(), row.columns.end(), frame_.columns.begin());
    row_arenas_ = row.arenas;
    MR_TRY(begin(in.key, watermark_, 0, in.time));
    const Status status = run(config_->on_event);
    if (!failed_.empty()) {
      std::vector<uint32_t> rows{0};
      MR_TRY(errors_.handle(row, *config_->input, failed_, rows));
    } else {
      MR_TRY(status);
    }
    finish_key();
    return {};
  }

  Status fire(const std::string& key, int64_t time) override {
    // What a late row set in the past leaves behind what was passed on already.
    const int64_t event_time = watermark_ == kWatermarkMin ? time : std::max(time, watermark_ + 1);
    return fire_timers(key, time, 0, event_time);
  }

  void timers_of(const std::string& key, const ProcessKey& state) override {
    for (const auto& [time, name] : state.timers[0]) set_timer(time, key);
    for (const auto& [time, name] : state.timers[1]) wall_timers_.set(time, key);
  }

  std::vector<KeyTimers*> timers() override { return {&timers_, &wall_timers_}; }

  [[nodiscard]] bool full() const override {
    return std::ranges::any_of(ports_, [](const ProcessPort& port) { return port.times.size() >= kBatchRowsMax / 2; });
  }

  void flush(Output& out) override {
    for (size_t i = 0; i < ports_.size(); ++i) {
      if (ports_[i].times.empty()) continue;
      Batch batch;
      batch.rows = static_cast<uint32_t>(ports_[i].times.size());
      batch.columns.assign(ports_[i].columns.begin(), ports_[i].columns.end());
      batch.event_times = std::make_shared<const std::vector<int64_t>>(std::move(ports_[i].times));
      batch.arenas.push_back(ports_[i].arena);
      reset_port(i);
      out.emit(static_cast<uint32_t>(i), std::move(batch));
    }
    errors_.flush(out);
  }

 private:
  void reset_port(size_t i) {
    if (ports_.size() <= i) ports_.resize(i + 1);
    ports_[i] = {};
    for (const Field& field : config_->outputs[i]->fields) ports_[i].columns.push_back(make_column(*field.type));
    ports_[i].arena = std::make_shared<Arena>();
  }

  // One row or timer --------------------------------------------------------------------------------------------------

  Status begin(std::string_view key, int64_t watermark, int64_t timer_time, int64_t event_time) {
    key_ = key;
    MR_ASSIGN(state_, store_->at(key));
    state_->cells.resize(config_->states.size());
    context_of_row_ = {.now_ms = context_.clock->wall_ms(), .watermark = watermark, .timer_time = timer_time};
    event_time_ = event_time;
    arena_ = std::make_shared<Arena>();
    frame_.arenas = row_arenas_;
    frame_.arenas.push_back(arena_);
    for (size_t i = 0; i < config_->states.size(); ++i) {
      frame_.columns[first_state_ + i] = nullptr;
      const ProcessState& state = config_->states[i];
      StateCell& cell = state_->cells[i];
      if (cell.set && state.ttl_ms > 0 && now_of(state) - cell.written_ms >= state.ttl_ms) cell = {};
    }
    return {};
  }

  [[nodiscard]] int64_t now_of(const ProcessState& state) const {
    if (!state.ttl_event_time) return context_of_row_.now_ms;
    return std::max(event_time_, watermark_);
  }

  void finish_key() {
    if (state_->empty()) store_->erase(key_);
  }

  Status fire_timers(const std::string& key, int64_t time, int which, int64_t event_time) {
    MR_ASSIGN(ProcessKey * held, store_->find(key));
    if (held == nullptr) return {};
    MR_TRY(key_columns(key));
    for (uint32_t name = 0; name < config_->timers.size(); ++name) {
      MR_ASSIGN(held, store_->find(key));
      if (held == nullptr || held->timers[which].erase({time, name}) == 0) continue;
      MR_TRY(begin(key, which == 0 ? advancing_ : watermark_, time, event_time));
      MR_TRY(run(config_->on_timer[name]));
      finish_key();
    }
    return {};
  }

  /// A timer sees the key's columns and no other.
  Status key_columns(const std::string& key) {
    std::vector<std::shared_ptr<Column>> columns;
    for (const TypePtr& type : config_->key_types) columns.push_back(make_column(*type));
    auto arena = std::make_shared<Arena>();
    if (!decode_key(key, config_->key_types, columns, *arena)) {
      return make_error(ErrorCode::kCorruptState, "a key of `process` cannot be decoded");
    }
    for (size_t i = 0; i < columns.size(); ++i) frame_.columns[config_->keys[i]] = columns[i];
    row_arenas_ = {arena};
    return {};
  }

  // Expressions
  // ---------------------------------------------------------------------------------------------------------

  Result<ColumnPtr> evaluate(int32_t expression) {
    const auto index = static_cast<size_t>(expression);
    for (const uint32_t column : reads_[index]) {
      if (column >= first_state_ && column < first_item_ && frame_.columns[column] == nullptr) {
        MR_ASSIGN(frame_.columns[column], state_column(column - first_state_));
      }
    }
    std::vector<ColumnPtr> results;
    static constexpr uint32_t kOnlyRow = 0;
    evaluators_[index]->evaluate(frame_, std::span(&kOnlyRow, 1), results, arena_, failed_, context_of_row_);
    if (!failed_.empty()) return make_error(ErrorCode::kEvaluation, failed_.rows().front().second);
    return results[0];
  }

  Result<ColumnPtr> state_column(size_t index) {
    const ProcessState& state = config_->states[index];
    const StateCell& cell = state_->cells[index];
    auto column = make_column(*state.type);
    if (state.is_map()) {
      // A list of structs of key and value, each with its tag.
      std::string bytes(1, '\1');
      const auto count = static_cast<uint32_t>(cell.entries.size());
      bytes.append(reinterpret_cast<const char*>(&count), sizeof count);
      for (const auto& [name, value] : cell.entries) bytes += '\1' + name + value;
      return decode_cell(bytes, column);
    }
    if (cell.set) return decode_cell(cell.value, column);
    if (state.otherwise >= 0) return evaluate(state.otherwise);
    append_null(*column);
    return ColumnPtr(column);
  }

  Result<ColumnPtr> decode_cell(std::string_view bytes, const std::shared_ptr<Column>& column) {
    if (!decode_row(bytes, std::span(&column, 1), *arena_)) {
      return make_error(ErrorCode::kCorruptState, "a state of `process` is damaged");
    }
    return ColumnPtr(column);
  }

  static std::string encode_cell(const ColumnPtr& column) {
    Batch cell;
    cell.rows = 1;
    cell.columns = {column};
    std::string bytes;
    encode_row(cell, 0, bytes);
    return bytes;
  }

  // Actions
  // -------------------------------------------------------------------------------------------------------------

  Status run(const std::vector<ProcessAction>& actions) {
    for (const ProcessAction& action : actions) MR_TRY(run(action));
    return {};
  }

  Status run(const ProcessAction& action) {
    switch (action.kind) {
      case ActionKind::kIf: {
        MR_ASSIGN(const ColumnPtr holds, evaluate(action.value));
        return run(!holds->is_null(0) && holds->values<uint8_t>()[0] != 0 ? action.actions : action.otherwise);
      }
      case ActionKind::kSet:
      case ActionKind::kSetEntry:
        return set(action);
      case ActionKind::kClear:
        state_->cells[action.target] = {};
        frame_.columns[first_state_ + action.target] = nullptr;
        return {};
      case ActionKind::kClearEntry:
        return clear_entry(action);
      case ActionKind::kEmit:
        return emit(action);
      case ActionKind::kTimer:
      case ActionKind::kCancelTimer:
        return timer(action);
      case ActionKind::kForEach:
        return for_each(action);
    }
    return {};
  }

  Status set(const ProcessAction& action) {
    MR_ASSIGN(const ColumnPtr value, evaluate(action.value));
    std::string name;
    if (action.kind == ActionKind::kSetEntry) {
      MR_ASSIGN(const ColumnPtr map_key, evaluate(action.map_key));
      if (map_key->is_null(0)) return {};  // no entry has this key
      name = encode_cell(map_key);
    }
    StateCell& cell = state_->cells[action.target];
    if (action.kind == ActionKind::kSetEntry) {
      cell.entries[name] = encode_cell(value);
    } else if (config_->states[action.target].is_map()) {
      set_map(cell, value);
    } else {
      cell.value = encode_cell(value);
    }
    cell.set = true;
    cell.written_ms = now_of(config_->states[action.target]);
    frame_.columns[first_state_ + action.target] = nullptr;
    return {};
  }

  static void set_map(StateCell& cell, const ColumnPtr& map) {
    cell.entries.clear();
    if (map->is_null(0)) return;
    const Column& entries = *map->children()[0];
    for (uint32_t i = map->offsets()[0]; i < map->offsets()[1]; ++i) {
      std::string parts[2];
      for (int side = 0; side < 2; ++side) {
        Batch part;
        part.rows = entries.size();
        part.columns = {entries.children()[static_cast<size_t>(side)]};
        encode_row(part, i, parts[side]);
      }
      cell.entries[parts[0]] = parts[1];
    }
  }

  Status clear_entry(const ProcessAction& action) {
    MR_ASSIGN(const ColumnPtr map_key, evaluate(action.map_key));
    StateCell& cell = state_->cells[action.target];
    cell.entries.erase(encode_cell(map_key));
    if (cell.entries.empty()) cell = {};
    frame_.columns[first_state_ + action.target] = nullptr;
    return {};
  }

  Status emit(const ProcessAction& action) {
    // All values first: a row that fails leaves nothing behind.
    std::vector<ColumnPtr> values;
    for (const uint32_t expression : action.columns) {
      MR_ASSIGN(ColumnPtr value, evaluate(static_cast<int32_t>(expression)));
      values.push_back(std::move(value));
    }
    ProcessPort& port = ports_[action.target];
    static constexpr uint32_t kOnlyRow = 0;
    for (size_t i = 0; i < values.size(); ++i) {
      append_rows(*values[i], &kOnlyRow, 1, *port.columns[i], port.arena.get());
    }
    port.times.push_back(event_time_);
    return {};
  }

  Status timer(const ProcessAction& action) {
    const int which = action.processing_time ? 1 : 0;
    auto& timers = state_->timers[which];
    if (action.value < 0) {
      std::erase_if(timers, [&action](const auto& timer) { return timer.second == action.target; });
      return {};
    }
    MR_ASSIGN(const ColumnPtr at, evaluate(action.value));
    if (at->is_null(0)) return {};
    const int64_t time = at->values<int64_t>()[0];
    if (action.kind == ActionKind::kCancelTimer) {
      timers.erase({time, action.target});  // the wake-up that stays finds nothing to do
      return {};
    }
    timers.emplace(time, action.target);
    if (which == 0) {
      set_timer(time, key_);
    } else {
      wall_timers_.set(time, key_);
    }
    return {};
  }

  Status for_each(const ProcessAction& action) {
    MR_ASSIGN(const ColumnPtr list, evaluate(action.value));
    if (list->is_null(0)) return {};
    for (uint32_t i = list->offsets()[0]; i < list->offsets()[1]; ++i) {
      auto item = make_column(*config_->items[action.target]);
      append_rows(*list->children()[0], &i, 1, *item, nullptr);
      frame_.columns[first_item_ + action.target] = std::move(item);
      MR_TRY(run(action.actions));
    }
    return {};
  }

  std::shared_ptr<const ProcessConfig> config_;
  std::vector<std::unique_ptr<Evaluator>> evaluators_;
  std::vector<std::vector<uint32_t>> reads_;  // per expression
  RowErrorHandler errors_;
  RowErrors failed_;
  std::vector<ProcessPort> ports_;
  KeyTimers wall_timers_;  // of processing time
  int64_t advancing_ = kWatermarkMin;
  uint32_t first_state_ = 0;
  uint32_t first_item_ = 0;
  // Of the row or timer at hand.
  Batch frame_;
  std::vector<std::shared_ptr<const Arena>> row_arenas_;
  ArenaPtr arena_;
  std::string_view key_;
  ProcessKey* state_ = nullptr;
  EvalContext context_of_row_;
  int64_t event_time_ = 0;
};

}  // namespace

Result<OperatorPtr> make_process(std::shared_ptr<const ProcessConfig> config, const Node& node) {
  std::vector<std::unique_ptr<Evaluator>> evaluators;
  for (const TypedExprPtr& expression : config->expressions) {
    MR_ASSIGN(auto evaluator, Evaluator::make({expression}));
    evaluators.push_back(std::move(evaluator));
  }
  return std::make_unique<ProcessOperator>(std::move(config), std::move(evaluators), node);
}

}  // namespace millrace
