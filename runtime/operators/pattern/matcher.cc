// Rows are handled in the order of event time, each by all open matches of its key and by one that begins with it. A
// greedy variable or group that can take a row leaves it to nobody behind it; a reluctant one leaves both ways open, as
// alternatives do. A complete
// match is emitted when no match that began earlier is open any more, and then removes those that `after_match` skips.
#include "runtime/operators/pattern/matcher.h"

#include <algorithm>

#include "data/row_codec.h"
#include "runtime/operators/pattern/match_state.h"
#include "runtime/operators/pattern/match_values.h"
#include "runtime/operators/row_output.h"
#include "runtime/operators/timed_rows.h"

namespace millrace {
namespace {

class PatternOperator final : public TimedRows<PatternState, PatternCodec> {
 public:
  PatternOperator(std::shared_ptr<const PatternConfig> config, std::vector<std::unique_ptr<MatchValues>> conditions,
                  std::vector<std::unique_ptr<MatchValues>> measures)
      : TimedRows(RowInput(config->input, config->keys), "pattern"),
        config_(std::move(config)),
        conditions_(std::move(conditions)),
        measures_(std::move(measures)),
        built_(config_->output),
        late_(config_->input) {}

 protected:
  Status take(const Batch& batch, const InputRow& in) override {
    std::string bytes;
    encode_row(batch, in.row, bytes);
    if (in.time <= watermark_) {
      count_late();
      return late_.add(bytes, in.time);
    }
    MR_ASSIGN(PatternState * state, store_->at(in.key));
    state->waiting[in.time].push_back(std::move(bytes));
    set_timer(in.time, in.key);
    return {};
  }

  Status fire(const std::string& key, int64_t time) override {
    MR_ASSIGN(PatternState * state, store_->find(key));
    if (state == nullptr) return {};
    if (config_->within_ms > 0) {
      std::erase_if(state->open, [&](const PartialMatch& match) { return deadline(*state, match.start()) <= time; });
      MR_TRY(release(key, *state));
    }
    auto rows = state->waiting.extract(time);
    if (!rows.empty()) {
      for (std::string& bytes : rows.mapped()) MR_TRY(handle(key, *state, time, std::move(bytes)));
      if (config_->within_ms > 0 && !state->open.empty()) {
        set_timer(deadline(*state, state->open.back().start()), key);
      }
    }
    forget_rows(*state);
    if (state->waiting.empty() && state->rows.empty()) store_->erase(key);
    return {};
  }

  void timers_of(const std::string& key, const PatternState& state) override {
    for (const auto& [time, rows] : state.waiting) set_timer(time, key);
    if (config_->within_ms == 0) return;
    for (const PartialMatch& match : state.open) set_timer(deadline(state, match.start()), key);
  }

  [[nodiscard]] bool full() const override { return built_.rows() >= kBatchRowsMax / 2 || late_.full(); }
  void flush(Output& out) override {
    if (built_.rows() > 0) out.emit(0, built_.finish());
    late_.flush(out, 1);
  }

 private:
  [[nodiscard]] int64_t deadline(const PatternState& state, uint64_t start) const {
    return state.rows.at(start).time + config_->within_ms;
  }

  Status handle(const std::string& key, PatternState& state, int64_t time, std::string bytes) {
    const uint64_t number = state.next_row++;
    state.rows[number] = {time, std::move(bytes), nullptr};
    const std::vector<PartialMatch> open = std::exchange(state.open, {});
    for (const PartialMatch& match : open) MR_TRY(go_on(state, match, number));
    MR_TRY(enter(state, PartialMatch{}, config_->begin, number));
    return release(key, state);
  }

  /// Whether the step `at` may take the row behind `match`; then the longer match is kept.
  Result<bool> takes(PatternState& state, const PartialMatch& match, uint32_t at, uint32_t count, uint64_t row) {
    PartialMatch candidate = match;
    candidate.count = count;
    candidate.steps.push_back({at, row});
    const int32_t condition = config_->variables[config_->program[at].variable].condition;
    if (condition >= 0) {
      MR_ASSIGN(const ColumnPtr result,
                conditions_[static_cast<size_t>(condition)]->evaluate(state, candidate, std::make_shared<Arena>()));
      if (result->is_null(0) || result->values<uint8_t>()[0] == 0) return false;
    }
    add(state, std::move(candidate));
    return true;
  }

  /// An open match meets the next row.
  Status go_on(PatternState& state, const PartialMatch& match, uint64_t row) {
    const uint32_t at = match.steps.back().at;
    const PatternStep& step = config_->program[at];
    bool taken = false;
    if (match.count < step.max) {
      MR_ASSIGN(taken, takes(state, match, at, match.count + 1, row));
    }
    if (match.count < step.min || (taken && step.greedy)) return {};
    MR_TRY(enter(state, match, step.next, row));
    return {};
  }

  /// Tries the step `at` and, where it may be left out, those behind it. Whether one of them took the row.
  Result<bool> enter(PatternState& state, const PartialMatch& match, uint32_t at, uint64_t row) {
    const PatternStep& step = config_->program[at];
    if (step.kind == PatternStep::Kind::kEnd) return false;
    const bool fork = step.kind == PatternStep::Kind::kFork;
    MR_ASSIGN(const bool taken, fork ? enter(state, match, step.next, row) : takes(state, match, at, 1, row));
    if ((taken && step.greedy) || (!fork && step.min > 0)) return taken;
    MR_ASSIGN(const bool behind, enter(state, match, fork ? step.other : step.next, row));
    return taken || behind;
  }

  void add(PatternState& state, PartialMatch match) {
    const PatternStep& step = config_->program[match.steps.back().at];
    auto& list = step.completes && match.count >= step.min ? state.complete : state.open;
    const auto [from, to] = std::ranges::equal_range(list, match.start(), {}, &PartialMatch::start);
    const auto same = [&match](const PartialMatch& m) { return m.count == match.count && m.steps == match.steps; };
    if (config_->forks && std::any_of(from, to, same)) return;
    list.insert(to, std::move(match));
  }

  // Complete matches --------------------------------------------------------------------------------------------------

  Status release(const std::string& key, PatternState& state) {
    while (!state.complete.empty() &&
           (state.open.empty() || state.complete.front().start() <= state.open.front().start())) {
      const PartialMatch match = std::move(state.complete.front());
      state.complete.erase(state.complete.begin());
      const uint64_t keep_from = first_start_after(match);
      for (auto* list : {&state.open, &state.complete}) {
        std::erase_if(*list, [keep_from](const PartialMatch& other) { return other.start() < keep_from; });
      }
      MR_TRY(emit(key, state, match));
    }
    return {};
  }

  [[nodiscard]] uint64_t first_start_after(const PartialMatch& match) const {
    if (config_->after == AfterMatch::kNextRow) return match.start() + 1;
    if (config_->after == AfterMatch::kPastLastRow) return match.steps.back().row + 1;
    uint64_t found = 0;
    for (const PartialMatch::Step& step : match.steps) {
      if (config_->program[step.at].variable != config_->after_variable) continue;
      found = step.row;
      if (config_->after == AfterMatch::kFirst) break;
    }
    return found;
  }

  Status emit(const std::string& key, PatternState& state, const PartialMatch& match) {
    std::vector<std::shared_ptr<Column>> keys;
    for (const TypePtr& type : config_->key_types) keys.push_back(make_column(*type));
    const auto arena = std::make_shared<Arena>();
    if (!decode_key(key, config_->key_types, keys, *arena)) {
      return make_error(ErrorCode::kCorruptState, "a key of `pattern` cannot be decoded");
    }
    Batch row;
    row.rows = 1;
    row.columns.assign(keys.begin(), keys.end());
    row.arenas.push_back(arena);
    for (const auto& measure : measures_) {
      MR_ASSIGN(ColumnPtr column, measure->evaluate(state, match, arena));
      row.columns.push_back(std::move(column));
    }
    // One that had to wait for an earlier match may lie behind the watermark.
    const int64_t last = state.rows.at(match.steps.back().row).time;
    const int64_t time = watermark_ == kWatermarkMin ? last : std::max(last, watermark_ + 1);
    row.event_times = std::make_shared<const std::vector<int64_t>>(1, time);
    static constexpr uint32_t kOnlyRow = 0;
    built_.append(row, &kOnlyRow, 1);
    return {};
  }

  static void forget_rows(PatternState& state) {
    uint64_t needed = state.next_row;
    if (!state.open.empty()) needed = std::min(needed, state.open.front().start());
    if (!state.complete.empty()) needed = std::min(needed, state.complete.front().start());
    state.rows.erase(state.rows.begin(), state.rows.lower_bound(needed));
  }

  std::shared_ptr<const PatternConfig> config_;
  std::vector<std::unique_ptr<MatchValues>> conditions_;
  std::vector<std::unique_ptr<MatchValues>> measures_;
  BatchBuilder built_;
  RowOutput late_;
};

}  // namespace

Result<OperatorPtr> make_pattern(std::shared_ptr<const PatternConfig> config) {
  std::vector<std::unique_ptr<MatchValues>> conditions;
  for (const PatternExpression& expression : config->expressions) {
    MR_ASSIGN(auto values, MatchValues::make(*config, expression));
    conditions.push_back(std::move(values));
  }
  std::vector<std::unique_ptr<MatchValues>> measures;
  for (const PatternExpression& expression : config->measures) {
    MR_ASSIGN(auto values, MatchValues::make(*config, expression));
    measures.push_back(std::move(values));
  }
  return std::make_unique<PatternOperator>(std::move(config), std::move(conditions), std::move(measures));
}

}  // namespace millrace
