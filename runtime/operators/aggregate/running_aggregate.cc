#include "runtime/operators/aggregate/running_aggregate.h"

#include <algorithm>
#include <cstring>

#include "data/row_codec.h"
#include "runtime/operators/aggregate/row_history.h"
#include "runtime/operators/keyed_rows.h"
#include "runtime/operators/window/progress.h"
#include "runtime/operators/window/window_rows.h"

namespace millrace {

namespace {

/// Stands before the accumulators.
struct RunningRow {
  int64_t rows;      // inserted minus taken back
  int64_t batch;     // the last batch that touched it
  int64_t position;  // in that batch: its place among the touched keys, or how often it was touched
  int64_t used_ms;   // wall clock of the last row, for ttl
};
static_assert(sizeof(RunningRow) % 16 == 0);

RunningRow& running_row(char* row) { return *reinterpret_cast<RunningRow*>(row); }
char* running_state(char* row) { return row + sizeof(RunningRow); }

/// State, snapshots and the start of a batch; what is emitted differs.
class RunningBase : public Operator {
 public:
  RunningBase(const std::shared_ptr<const RunningConfig>& running, const std::shared_ptr<AggregateRow>& aggregates,
              std::unique_ptr<WindowOutput> output)
      : running_(running),
        config_(running->window),
        aggregates_(aggregates),
        table_(static_cast<uint32_t>(sizeof(RunningRow)) + aggregates->bytes(), 0),
        rows_(config_, aggregates, std::move(output)),
        builder_(config_->output),
        history_(nullptr) {}

  Status open(const OperatorContext& context) override {
    context_ = context;
    state_ = context.state("aggregate");
    progress_state_ = context.state("aggregate_progress", StateKind::kSplit);
    if (running_->history) history_ = std::make_unique<RowHistory>(context.state("aggregate_rows"));
    rows_.open(context);
    MR_TRY(table_.back(state_, context, codec()));
    if (history_) MR_TRY(history_->open(context));
    if (context.restored == nullptr) return {};
    return restore_progress(progress_state_, context, watermark_, rows_.arrival());
  }

  Result<Flow> advance(int64_t watermark, Output& /*out*/) override {
    watermark_ = watermark;
    return Flow::kNeedInput;
  }

  Result<Flow> process(uint32_t /*input*/, Batch& batch, Output& out) override {
    if (!started_) {
      ++batch_number_;
      MR_TRY(rows_.start(batch, watermark_));
      MR_TRY(sweep());
      MR_TRY(look_up());
      MR_TRY(apply(batch));
      started_ = true;
      cursor_ = 0;
    }
    emit_results();
    rows_.output().errors().flush(out);
    if (builder_.rows() > 0) out.emit(0, builder_.finish());
    if (cursor_ < results()) return Flow::kMoreOutput;
    finish();
    rows_.finish_batch();
    started_ = false;
    if (context_.metrics.state_keys) context_.metrics.state_keys->set(static_cast<double>(table_.rows()));
    if (context_.metrics.state_bytes) context_.metrics.state_bytes->set(static_cast<double>(table_.bytes()));
    return Flow::kNeedInput;
  }

  Result<std::vector<SnapshotPartPtr>> snapshot() override {
    std::vector<SnapshotPartPtr> parts;
    parts.push_back(table_.snapshot(state_, context_.max_parallelism, codec().save));
    if (history_) parts.push_back(history_->snapshot());
    parts.push_back(snapshot_progress(progress_state_, context_.subtask, watermark_, rows_.arrival()));
    return parts;
  }

 protected:
  /// Updates the state; prepares results() results.
  virtual Status apply(const Batch& batch) = 0;
  [[nodiscard]] virtual size_t results() const = 0;
  /// Adds results from cursor_ on to builder_, at most a batch.
  virtual void emit_results() = 0;
  virtual void finish() {}

  Status look_up() {
    const size_t count = rows_.rows().size();
    found_.resize(count);
    inserted_.assign(count, 0);
    if (history_) MR_TRY(history_->prefetch(rows_.keys().keys));
    if (count == 0) return {};
    MR_TRY(table_.find_or_insert(rows_.keys(), {}, found_.data(), inserted_.data()));
    for (size_t i = 0; i < count; ++i) {
      if (inserted_[i] != 0) aggregates_->init(running_state(found_[i]));
      running_row(found_[i]).used_ms = rows_.now_ms();
    }
    return {};
  }

  void forget(char* row) {
    if (history_) history_->erase(table_.key(row));
    aggregates_->drop(running_state(row), table_.blobs());
    table_.erase(row);
  }

  /// Keys without a row for `ttl` leave, without a word downstream.
  Status sweep() {
    if (running_->ttl_ms <= 0) return {};
    const int64_t oldest = rows_.now_ms() - running_->ttl_ms;
    MR_TRY(table_.fetch(rows_.keys().keys));
    for (size_t i = 0; i < rows_.rows().size(); ++i) {
      char* row = table_.table().find(rows_.hash(i), rows_.key(i));
      if (row != nullptr && running_row(row).used_ms <= oldest) forget(row);
    }
    if (rows_.now_ms() < next_sweep_ms_) return {};
    next_sweep_ms_ = rows_.now_ms() + running_->ttl_ms;
    std::vector<char*> dead;
    const char* page[256];
    uint64_t cursor = 0;
    while (const size_t count = table_.table().peek_rows(cursor, page)) {
      for (size_t i = 0; i < count; ++i) {
        char* row = const_cast<char*>(page[i]);
        if (running_row(row).used_ms <= oldest) dead.push_back(row);
      }
    }
    for (char* row : dead) forget(table_.writable(row));
    return {};
  }

  [[nodiscard]] KeyedRows::Codec codec() {
    return {.save =
                [aggregates = aggregates_](const char* row, ByteWriter& out) {
                  out.put(reinterpret_cast<const RunningRow*>(row)->rows);
                  out.put(reinterpret_cast<const RunningRow*>(row)->used_ms);
                  aggregates->save(row + sizeof(RunningRow), out);
                },
            .load =
                [this](char* row, ByteReader& in) {
                  running_row(row).rows = in.get<int64_t>();
                  running_row(row).used_ms = in.get<int64_t>();
                  aggregates_->init(running_state(row));
                  return aggregates_->load(in, running_state(row), table_.blobs());
                },
            .drop = [this](char* row) { aggregates_->drop(running_state(row), table_.blobs()); }};
  }

  std::shared_ptr<const RunningConfig> running_;
  std::shared_ptr<const WindowConfig> config_;
  std::shared_ptr<AggregateRow> aggregates_;
  KeyedRows table_;
  WindowRows rows_;
  BatchBuilder builder_;
  int64_t watermark_ = kWatermarkMin;
  int64_t batch_number_ = 0;
  size_t cursor_ = 0;
  std::vector<char*> found_;  // the state row of each input row
  std::vector<uint8_t> inserted_;

 private:
  StateDescriptor state_;
  StateDescriptor progress_state_;
  OperatorContext context_;
  int64_t next_sweep_ms_ = 0;
  bool started_ = false;

 protected:
  std::unique_ptr<RowHistory> history_;  // null: running_->history is false
};

/// Results of some keys, and which of them are there to see.
struct RunningResults {
  Batch batch;
  EncodedKeys values;          // of the columns behind the keys, to tell whether a result changed
  std::vector<int32_t> place;  // per touched key: its row in `batch`, -1 = not visible
};

class ChangelogAggregate final : public RunningBase {
 public:
  using RunningBase::RunningBase;

 protected:
  Status apply(const Batch& batch) override {
    touch(batch);
    MR_TRY(build(old_, watermark_));
    // -U and -D are the odd kinds.
    const auto taken_back = [&](size_t i) { return (static_cast<uint8_t>(batch.kind(rows_.rows()[i])) & 1U) != 0; };
    anew_.assign(touched_.size(), 0);
    for (size_t i = 0; history_ && i < found_.size(); ++i) {
      if (taken_back(i)) anew_[static_cast<size_t>(running_row(found_[i]).position)] = 1;
    }
    for (size_t i = 0; i < found_.size(); ++i) {
      RunningRow& held = running_row(found_[i]);
      if (anew_[static_cast<size_t>(held.position)] == 0) rows_.add(i, running_state(found_[i]));
      held.rows += taken_back(i) ? -1 : 1;
    }
    rows_.flush(batch, table_.blobs());
    if (history_) {
      for (size_t i = 0; i < found_.size(); ++i) MR_TRY(remember(batch, i, taken_back(i)));
      for (size_t i = 0; i < touched_.size(); ++i) {
        if (anew_[i] != 0) MR_TRY(compute_anew(touched_[i]));
      }
    }
    MR_TRY(build(new_, watermark_));
    set_kinds();
    return {};
  }

  [[nodiscard]] size_t results() const override { return touched_.size(); }

  void emit_results() override {
    for (; cursor_ < touched_.size() && builder_.rows() + 2 <= kBatchRowsMax; ++cursor_) {
      const int32_t before = old_.place[cursor_];
      const int32_t after = new_.place[cursor_];
      if (before >= 0 && after >= 0 && same_values(before, after)) continue;
      if (before >= 0) append(old_.batch, before);
      if (after >= 0) append(new_.batch, after);
    }
  }

  /// Keys whose rows were all taken back leave the state.
  void finish() override {
    for (char* row : touched_) {
      if (running_row(row).rows <= 0) forget(row);
    }
  }

 private:
  Status remember(const Batch& batch, size_t i, bool taken_back) {
    std::string bytes;
    encode_row(batch, rows_.rows()[i], bytes);
    MR_ASSIGN(KeyHistory * history, history_->at(rows_.key(i)));
    std::vector<std::string>& kept = history->rows;
    if (!taken_back) {
      kept.push_back(std::move(bytes));
    } else if (const auto row = std::ranges::find(kept, bytes); row != kept.end()) {
      kept.erase(row);
    }
    return {};
  }

  /// The accumulators of a key from the rows that are left.
  Status compute_anew(char* row) {
    aggregates_->drop(running_state(row), table_.blobs());
    std::memset(running_state(row), 0, aggregates_->bytes());
    aggregates_->init(running_state(row));
    Batch left;
    const auto arena = std::make_shared<Arena>();
    std::vector<std::shared_ptr<Column>> columns;
    for (const Field& field : config_->input->fields) columns.push_back(make_column(*field.type));
    std::vector<uint32_t> numbers;
    MR_ASSIGN(const KeyHistory* history, history_->at(table_.key(row)));
    for (const std::string& bytes : history->rows) {
      if (!decode_row(bytes, columns, *arena)) return make_error(ErrorCode::kCorruptState, "a kept row is damaged");
      numbers.push_back(left.rows++);
    }
    left.columns.assign(columns.begin(), columns.end());
    left.arenas.push_back(arena);
    left.event_times = std::make_shared<const std::vector<int64_t>>(left.rows);
    RowErrors errors;  // rows that fail were never kept
    aggregates_->prepare(left, numbers, errors, {.now_ms = rows_.now_ms(), .watermark = watermark_});
    const std::vector<char*> states(numbers.size(), running_state(row));
    aggregates_->update(left, numbers, states, table_.blobs(), 0);
    return {};
  }

  void touch(const Batch& batch) {
    touched_.clear();
    times_.clear();
    for (size_t i = 0; i < found_.size(); ++i) {
      const int64_t time = (*batch.event_times)[rows_.rows()[i]];
      RunningRow& held = running_row(found_[i]);
      if (held.batch != batch_number_) {
        held.batch = batch_number_;
        held.position = static_cast<int64_t>(touched_.size());
        touched_.push_back(found_[i]);
        times_.push_back(time);
      } else {
        int64_t& newest = times_[static_cast<size_t>(held.position)];
        newest = std::max(newest, time);
      }
    }
  }

  Status build(RunningResults& into, int64_t watermark) {
    into.place.assign(touched_.size(), -1);
    std::vector<std::string_view> keys;
    std::vector<const char*> states;
    std::vector<WindowBounds> bounds;
    std::vector<size_t> which;
    for (size_t i = 0; i < touched_.size(); ++i) {
      if (running_row(touched_[i]).rows <= 0) continue;
      which.push_back(i);
      keys.push_back(table_.key(touched_[i]));
      states.push_back(running_state(touched_[i]));
      bounds.push_back({0, times_[i] + 1});
    }
    into.batch = Batch{};
    if (which.empty()) return {};
    MR_ASSIGN(into.batch, rows_.output().build(keys, states, bounds, watermark));
    for_each_row(into.batch, [&](uint32_t row) { into.place[which[row]] = static_cast<int32_t>(row); });
    into.batch.selection.reset();
    std::vector<uint32_t> columns;
    for (auto i = static_cast<uint32_t>(config_->keys.size()); i < config_->output->size(); ++i) columns.push_back(i);
    encode_keys(into.batch, *config_->output, columns, into.values);
    return {};
  }

  void set_kinds() {
    auto before = std::make_shared<std::vector<uint8_t>>(old_.batch.rows);
    auto after = std::make_shared<std::vector<uint8_t>>(new_.batch.rows);
    for (size_t i = 0; i < touched_.size(); ++i) {
      const int32_t old_row = old_.place[i];
      const int32_t new_row = new_.place[i];
      if (old_row >= 0) {
        (*before)[static_cast<size_t>(old_row)] =
            static_cast<uint8_t>(new_row >= 0 ? RowKind::kUpdateBefore : RowKind::kDelete);
      }
      if (new_row >= 0) {
        (*after)[static_cast<size_t>(new_row)] =
            static_cast<uint8_t>(old_row >= 0 ? RowKind::kUpdateAfter : RowKind::kInsert);
      }
    }
    old_.batch.kinds = std::move(before);
    new_.batch.kinds = std::move(after);
  }

  [[nodiscard]] bool same_values(int32_t before, int32_t after) const {
    return old_.values.keys[static_cast<size_t>(before)] == new_.values.keys[static_cast<size_t>(after)];
  }
  void append(const Batch& from, int32_t row) {
    const auto physical = static_cast<uint32_t>(row);
    builder_.append(from, &physical, 1);
  }

  std::vector<uint8_t> anew_;   // per touched key: its accumulators are computed anew
  std::vector<char*> touched_;  // state rows of the batch's keys, in order of their first row
  std::vector<int64_t> times_;
  RunningResults old_;
  RunningResults new_;
};

/// One result per input row. Rows of one key need each other's results, so the batch is worked off in rounds, in each
/// of which a key stands once.
class AppendAggregate final : public RunningBase {
 public:
  using RunningBase::RunningBase;

 protected:
  Status apply(const Batch& batch) override {
    round_of_.resize(found_.size());
    std::vector<std::vector<size_t>> rounds;
    for (size_t i = 0; i < found_.size(); ++i) {
      RunningRow& held = running_row(found_[i]);
      held.position = held.batch == batch_number_ ? held.position + 1 : 0;
      held.batch = batch_number_;
      held.rows += 1;
      const auto round = static_cast<size_t>(held.position);
      if (round == rounds.size()) rounds.emplace_back();
      round_of_[i] = {round, static_cast<uint32_t>(rounds[round].size())};
      rounds[round].push_back(i);
    }
    results_.clear();
    for (const std::vector<size_t>& round : rounds) MR_TRY(run_round(batch, round));
    return {};
  }

  [[nodiscard]] size_t results() const override { return found_.size(); }

  void emit_results() override {
    for (; cursor_ < found_.size() && builder_.rows() < kBatchRowsMax; ++cursor_) {
      const auto& [round, row] = round_of_[cursor_];
      const Batch& from = results_[round];
      if (from.selection && !std::ranges::binary_search(*from.selection, row)) continue;
      builder_.append(from, &row, 1);
    }
  }

 private:
  Status run_round(const Batch& batch, const std::vector<size_t>& round) {
    std::vector<std::string_view> keys;
    std::vector<const char*> states;
    std::vector<WindowBounds> bounds;
    for (const size_t i : round) {
      rows_.add(i, running_state(found_[i]));
      keys.push_back(rows_.key(i));
      states.push_back(running_state(found_[i]));
      bounds.push_back({0, (*batch.event_times)[rows_.rows()[i]] + 1});
    }
    rows_.flush(batch, table_.blobs());
    MR_ASSIGN(Batch result, rows_.output().build(keys, states, bounds, watermark_));
    results_.push_back(std::move(result));
    return {};
  }

  std::vector<std::pair<size_t, uint32_t>> round_of_;  // per input row: its round, and its row in the round's results
  std::vector<Batch> results_;
};

}  // namespace

Result<OperatorPtr> make_running_aggregate(const std::shared_ptr<const RunningConfig>& config, const Node& node) {
  MR_ASSIGN(auto aggregates, AggregateRow::make(config->window->calls));
  MR_ASSIGN(auto output, WindowOutput::make(config->window, aggregates, node));
  if (config->append) return std::make_unique<AppendAggregate>(config, aggregates, std::move(output));
  return std::make_unique<ChangelogAggregate>(config, aggregates, std::move(output));
}

}  // namespace millrace
