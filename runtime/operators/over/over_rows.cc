// Rows wait until the watermark reaches them; then each gets its frame. Bounded frames keep the rows they still need
// and add them up anew for every row; unbounded ones keep accumulators. What is late differs, as in Flink: with a
// bounded frame a row at or before the last time handled for its key (0 at first), else a row at or below the
// watermark.
#include "runtime/operators/over/over_rows.h"

#include <cstdlib>
#include <deque>
#include <numeric>

#include "data/row_codec.h"
#include "runtime/operators/aggregate_row.h"
#include "runtime/operators/keyed_rows.h"
#include "runtime/operators/row_output.h"
#include "runtime/operators/timed_rows.h"

namespace millrace {
namespace {

struct OverState {
  std::map<int64_t, std::vector<std::string>> waiting;  // in order of arrival
  std::deque<std::pair<int64_t, std::string>> handled;  // rows that later frames need
  int64_t last = 0;                                     // the last time handled
  int64_t clean_up = kWatermarkMin;                     // range frames: when the key is forgotten
  std::set<int64_t> timers;                             // range frames: all that are set, also those put off
};

struct OverCodec {
  static void save(const OverState& state, ByteWriter& out) {
    out.put(state.last);
    out.put(state.clean_up);
    out.put_varint(state.timers.size());
    for (const int64_t time : state.timers) out.put(time);
    out.put_varint(state.waiting.size());
    for (const auto& [time, rows] : state.waiting) {
      out.put(time);
      out.put_varint(rows.size());
      for (const std::string& row : rows) out.put_string(row);
    }
    out.put_varint(state.handled.size());
    for (const auto& [time, row] : state.handled) {
      out.put(time);
      out.put_string(row);
    }
  }
  static bool load(ByteReader& in, OverState& state) {
    state.last = in.get<int64_t>();
    state.clean_up = in.get<int64_t>();
    for (uint64_t left = in.get_varint(); left > 0 && in.ok(); --left) state.timers.insert(in.get<int64_t>());
    for (uint64_t times = in.get_varint(); times > 0 && in.ok(); --times) {
      auto& rows = state.waiting[in.get<int64_t>()];
      for (uint64_t left = in.get_varint(); left > 0 && in.ok(); --left) rows.emplace_back(in.get_string());
    }
    for (uint64_t left = in.get_varint(); left > 0 && in.ok(); --left) {
      const auto time = in.get<int64_t>();
      state.handled.emplace_back(time, in.get_string());
    }
    return in.ok();
  }
};

/// A 16-byte aligned accumulator row outside of any table.
class ScratchState {
 public:
  explicit ScratchState(uint32_t bytes) : words_((bytes + 15) / 16 * 2 + 2) {}
  char* get() {
    auto address = reinterpret_cast<uintptr_t>(words_.data());
    return reinterpret_cast<char*>((address + 15) & ~uintptr_t{15});
  }
  void clear() { std::fill(words_.begin(), words_.end(), 0); }

 private:
  std::vector<uint64_t> words_;
};

class OverOperator final : public TimedRows<OverState, OverCodec> {
 public:
  OverOperator(std::shared_ptr<const OverConfig> config, std::shared_ptr<AggregateRow> aggregates,
               std::unique_ptr<Evaluator> results, std::unique_ptr<Evaluator> values,
               std::unique_ptr<Evaluator> defaults)
      : TimedRows(RowInput(config->input, config->keys), "over"),
        config_(std::move(config)),
        aggregates_(std::move(aggregates)),
        results_(std::move(results)),
        values_(std::move(values)),
        defaults_(std::move(defaults)),
        totals_(aggregates_->bytes() + 16, 0),
        scratch_(aggregates_->bytes()),
        built_(config_->output),
        late_(config_->input) {}

  Status open(const OperatorContext& context) override {
    if (keeps_totals()) totals_state_ = context.state("over_totals");
    MR_TRY(TimedRows::open(context));
    return keeps_totals() ? totals_.back(totals_state_, context, totals_codec()) : Status{};
  }

  Result<std::vector<SnapshotPartPtr>> snapshot() override {
    MR_ASSIGN(auto parts, TimedRows::snapshot());
    if (!keeps_totals()) return parts;
    parts.push_back(totals_.snapshot(totals_state_, context_.max_parallelism, totals_codec().save));
    return parts;
  }

 protected:
  Status take(const Batch& batch, const InputRow& in) override {
    std::string bytes;
    encode_row(batch, in.row, bytes);
    MR_ASSIGN(const OverState* held, store_->peek(in.key));
    const int64_t last = held == nullptr ? 0 : held->last;
    if (in.time <= (bounded() ? last : watermark_)) {
      count_late();
      return late_.add(bytes, in.time);
    }
    MR_ASSIGN(OverState * kept, store_->at(in.key));
    OverState& state = *kept;
    state.waiting[in.time].push_back(std::move(bytes));
    wake(state, in.time, in.key);
    if (config_->frame == OverFrame::kRange && state.clean_up < in.time + config_->preceding + 1) {
      state.clean_up = in.time + config_->preceding + config_->preceding / 2 + 1;
      wake(state, state.clean_up, in.key);
    }
    return {};
  }

  Status fire(const std::string& key, int64_t time) override {
    MR_ASSIGN(OverState * state, store_->find(key));
    if (state == nullptr) return {};
    if (config_->frame == OverFrame::kRange) {
      state->timers.erase(time);
      if (state->clean_up != kWatermarkMin && state->clean_up <= time) {
        OverState forgotten;
        forgotten.timers = std::move(state->timers);
        *state = std::move(forgotten);
        if (state->timers.empty()) store_->erase(key);
        return {};
      }
      // Any timer of the key counts, that of a clean-up which was put off and that of a row which is gone, too.
      state->last = time;
    }
    auto rows = state->waiting.extract(time);
    if (rows.empty()) return {};
    if (config_->frame == OverFrame::kRange) {
      while (!state->handled.empty() && time - state->handled.front().first > config_->preceding) {
        state->handled.pop_front();
      }
    }
    const auto before = static_cast<uint32_t>(state->handled.size());
    for (std::string& row : rows.mapped()) state->handled.emplace_back(time, std::move(row));
    state->last = time;
    MR_TRY(compute(key, *state, before, time));
    forget_handled(*state);
    if (!bounded() && state->waiting.empty() && state->handled.empty()) store_->erase(key);
    return {};
  }

  void timers_of(const std::string& key, const OverState& state) override {
    for (const auto& [time, rows] : state.waiting) set_timer(time, key);
    for (const int64_t time : state.timers) set_timer(time, key);
  }

  [[nodiscard]] bool full() const override { return built_.rows() >= kBatchRowsMax / 2 || late_.full(); }
  void flush(Output& out) override {
    if (built_.rows() > 0) out.emit(0, built_.finish());
    late_.flush(out, 1);
  }

 private:
  void wake(OverState& state, int64_t time, std::string_view key) {
    if (config_->frame == OverFrame::kRange) state.timers.insert(time);
    set_timer(time, key);
  }
  [[nodiscard]] bool bounded() const {
    return config_->frame == OverFrame::kRows || config_->frame == OverFrame::kRange;
  }
  [[nodiscard]] bool keeps_totals() const { return config_->keeps_totals(); }
  [[nodiscard]] KeyedRows::Codec totals_codec() {
    return {.save =
                [aggregates = aggregates_](const char* row, ByteWriter& out) {
                  out.put(*reinterpret_cast<const uint64_t*>(row));
                  aggregates->save(row + 16, out);
                },
            .load =
                [this](char* row, ByteReader& in) {
                  rows_of(row) = in.get<uint64_t>();
                  aggregates_->init(row + 16);
                  return aggregates_->load(in, row + 16, totals_.blobs());
                },
            .drop = [this](char* row) { aggregates_->drop(row + 16, totals_.blobs()); }};
  }
  static uint64_t& rows_of(char* row) { return *reinterpret_cast<uint64_t*>(row); }

  void forget_handled(OverState& state) const {
    size_t keep = state.handled.size();
    if (config_->frame == OverFrame::kRows) keep = static_cast<size_t>(config_->preceding);
    if (keeps_totals()) keep = 0;
    if (config_->frame == OverFrame::kLag) {
      keep = 0;
      for (const OverLag& lag : config_->lags) keep = std::max(keep, static_cast<size_t>(lag.offset));
    }
    while (state.handled.size() > keep) state.handled.pop_front();
  }

  /// Rows [before, end) of state.handled get their results.
  Status compute(const std::string& key, const OverState& state, uint32_t before, int64_t time) {
    Batch frame;
    const auto arena = std::make_shared<Arena>();
    std::vector<std::shared_ptr<Column>> columns;
    for (const Field& field : config_->input->fields) columns.push_back(make_column(*field.type));
    for (const auto& [row_time, bytes] : state.handled) {
      if (!decode_row(bytes, columns, *arena)) return make_error(ErrorCode::kCorruptState, "a kept row is damaged");
    }
    frame.rows = static_cast<uint32_t>(state.handled.size());
    frame.columns.assign(columns.begin(), columns.end());
    frame.arenas.push_back(arena);
    // A late row that a bounded frame accepts leaves behind what was passed on already.
    const int64_t event_time = watermark_ == kWatermarkMin ? time : std::max(time, watermark_ + 1);
    frame.event_times = std::make_shared<const std::vector<int64_t>>(frame.rows, event_time);
    if (config_->frame == OverFrame::kLag) return compute_lags(frame, before);
    std::vector<uint32_t> all(frame.rows);
    std::iota(all.begin(), all.end(), 0U);
    RowErrors errors;
    aggregates_->prepare(frame, all, errors, {.now_ms = context_.clock->wall_ms(), .watermark = watermark_});
    if (!errors.empty()) return make_error(ErrorCode::kEvaluation, errors.rows().front().second);
    if (keeps_totals()) return compute_totals(key, frame, all);
    return compute_frames(frame, all, before);
  }

  Status compute_frames(const Batch& frame, std::span<const uint32_t> all, uint32_t before) {
    const bool peers = config_->frame == OverFrame::kRange;
    for (uint32_t row = before; row < frame.rows; row = peers ? frame.rows : row + 1) {
      const auto preceding = static_cast<uint64_t>(config_->preceding);
      const uint32_t first = peers || row <= preceding ? 0 : row - static_cast<uint32_t>(preceding);
      const uint32_t end = peers ? frame.rows : row + 1;
      scratch_.clear();
      aggregates_->init(scratch_.get());
      const std::vector<char*> states(end - first, scratch_.get());
      aggregates_->update(frame, all.subspan(first, end - first), states, totals_.blobs(), 0);
      const Status status = add_results(frame, all.subspan(row, end - row), scratch_.get());
      aggregates_->drop(scratch_.get(), totals_.blobs());
      MR_TRY(status);
    }
    return {};
  }

  Status compute_totals(const std::string& key, const Batch& frame, std::span<const uint32_t> all) {
    bool inserted = false;
    MR_ASSIGN(char* row, totals_.insert(hash64(key), key, &inserted));
    if (inserted) aggregates_->init(row + 16);
    const size_t step = config_->frame == OverFrame::kAllRange ? all.size() : 1;
    for (size_t i = 0; i < all.size(); i += step) {
      const std::vector<char*> states(step, row + 16);
      aggregates_->update(frame, all.subspan(i, step), states, totals_.blobs(), rows_of(row));
      rows_of(row) += step;
      MR_TRY(add_results(frame, all.subspan(i, step), row + 16));
    }
    return {};
  }

  /// The same accumulators for all of `rows`.
  Status add_results(const Batch& frame, std::span<const uint32_t> rows, const char* state) {
    Batch inner = gather(frame, *config_->input, rows);
    const auto arena = std::make_shared<Arena>();
    const std::vector<const char*> states(rows.size(), state);
    RowErrors errors;
    aggregates_->finish(states, inner.columns, *arena, errors);
    inner.arenas.push_back(arena);
    Batch result = inner;
    result.columns.resize(config_->input->size());
    results_->evaluate(inner, result.columns, arena, errors,
                       {.now_ms = context_.clock->wall_ms(), .watermark = watermark_});
    if (!errors.empty()) return make_error(ErrorCode::kEvaluation, errors.rows().front().second);
    std::vector<uint32_t> all(result.rows);
    std::iota(all.begin(), all.end(), 0U);
    built_.append(result, all.data(), result.rows);
    return {};
  }

  /// All rows of one time get the value `offset` rows before the last of them, as in Flink.
  Status compute_lags(const Batch& frame, uint32_t before) {
    const auto arena = std::make_shared<Arena>();
    RowErrors errors;
    std::vector<ColumnPtr> values;
    std::vector<ColumnPtr> defaults;
    values_->evaluate(frame, values, arena, errors);
    defaults_->evaluate(frame, defaults, arena, errors);
    if (!errors.empty()) return make_error(ErrorCode::kEvaluation, errors.rows().front().second);
    std::vector<uint32_t> peers(frame.rows - before);
    std::iota(peers.begin(), peers.end(), before);
    Batch result = gather(frame, *config_->input, peers);
    size_t next_default = 0;
    for (size_t i = 0; i < config_->lags.size(); ++i) {
      const OverLag& lag = config_->lags[i];
      const int64_t wanted = int64_t{frame.rows} - 1 - lag.offset;
      auto column = make_column(*lag.value->type);
      const ColumnPtr otherwise = lag.otherwise ? defaults[next_default++] : nullptr;
      for (const uint32_t row : peers) {
        const auto found = static_cast<uint32_t>(wanted);
        if (wanted >= 0) {
          append_rows(*values[i], &found, 1, *column, nullptr);
        } else if (otherwise) {
          append_rows(*otherwise, &row, 1, *column, nullptr);
        } else {
          append_null(*column);
        }
      }
      result.columns.push_back(std::move(column));
    }
    result.arenas.push_back(arena);
    std::vector<uint32_t> all(result.rows);
    std::iota(all.begin(), all.end(), 0U);
    built_.append(result, all.data(), result.rows);
    return {};
  }

  std::shared_ptr<const OverConfig> config_;
  std::shared_ptr<AggregateRow> aggregates_;
  std::unique_ptr<Evaluator> results_;
  std::unique_ptr<Evaluator> values_;    // of the lags
  std::unique_ptr<Evaluator> defaults_;  // of the lags that have one
  KeyedRows totals_;                     // number of rows, accumulators
  StateDescriptor totals_state_;
  ScratchState scratch_;
  BatchBuilder built_;
  RowOutput late_;
};

}  // namespace

Result<OperatorPtr> make_over(std::shared_ptr<const OverConfig> config) {
  MR_ASSIGN(auto aggregates, AggregateRow::make(config->calls));
  MR_ASSIGN(auto results, Evaluator::make(config->results));
  std::vector<TypedExprPtr> values;
  std::vector<TypedExprPtr> defaults;
  for (const OverLag& lag : config->lags) {
    values.push_back(lag.value);
    if (lag.otherwise) defaults.push_back(lag.otherwise);
  }
  MR_ASSIGN(auto value_evaluator, Evaluator::make(std::move(values)));
  MR_ASSIGN(auto default_evaluator, Evaluator::make(std::move(defaults)));
  return std::make_unique<OverOperator>(std::move(config), std::move(aggregates), std::move(results),
                                        std::move(value_evaluator), std::move(default_evaluator));
}

}  // namespace millrace
