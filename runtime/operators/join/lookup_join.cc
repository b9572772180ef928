// Look-up join: each row asks a table outside by key and waits for the answer; many rows wait at once. Rows that wait
// are part of the snapshot and ask again after a restore. Ordered: a row leaves when all before it have left. Either
// way the watermark stays below the oldest row that waits, so a window behind never misses one.
#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <unordered_map>

#include "core/bytes.h"
#include "data/row_codec.h"
#include "runtime/operators/join/input.h"
#include "runtime/operators/join/joins.h"
#include "runtime/operators/join/lookup_cache.h"

namespace millrace {
namespace {

constexpr size_t kLookupKeysMax = 1000;    // of one question
constexpr size_t kLookupQuestionsMax = 2;  // on their way: one is answered while the next travels
constexpr int64_t kLookupPauseMaxMs = 30'000;

struct WaitingRow {
  JoinRow row;
  std::string key;
  LookupRowsPtr found;  // null: not answered yet
  size_t next = 0;      // of found
  bool matched = false;
};

struct LookupQuestion {
  std::vector<std::string> keys;
  int64_t attempts = 1;
};

class LookupJoin final : public Operator {
 public:
  LookupJoin(std::shared_ptr<const JoinConfig> config, std::unique_ptr<JoinPairs> pairs, LookupSourcePtr source)
      : config_(std::move(config)),
        input_(*config_),
        pairs_(std::move(pairs)),
        source_(std::move(source)),
        cache_(config_->cache_size, config_->cache_ttl_ms) {}

  Status open(const OperatorContext& context) override {
    context_ = context;
    state_ = context.state("lookup_waiting", StateKind::kSubtask);
    MR_TRY(source_->open({context.step, context.subtask, context.clock, context.waker}));
    if (context.restored == nullptr) return {};
    return context.restored->visit(state_, context.key_groups, context.subtask, context.parallelism,
                                   [&](uint32_t, std::string_view, std::string_view value) -> Status {
                                     ByteReader in(value);
                                     WaitingRow row;
                                     const bool null_key = in.get<uint8_t>() != 0;
                                     row.key = std::string(in.get_string());
                                     if (!load_join_row(in, row.row) || !in.done()) {
                                       return make_error(ErrorCode::kCorruptState, "a waiting row cannot be read");
                                     }
                                     add(std::move(row), null_key);
                                     return {};
                                   });
  }

  Result<Flow> process(uint32_t /*input*/, Batch& batch, Output& out) override {
    MR_TRY(pump());
    if (!taken_ && waiting_.size() < static_cast<size_t>(config_->in_flight)) {
      take(batch);
      taken_ = true;
      MR_TRY(pump());
    }
    MR_ASSIGN(const bool more, emit(out));
    if (more) return Flow::kMoreOutput;
    if (!taken_) return waiting_.size() < static_cast<size_t>(config_->in_flight) ? Flow::kMoreOutput : Flow::kBlocked;
    taken_ = false;
    return Flow::kNeedInput;
  }

  Result<Flow> advance(int64_t watermark, Output& out) override {
    MR_TRY(pump());
    MR_ASSIGN(const bool more, emit(out));
    if (more) return Flow::kMoreOutput;
    return watermark == kWatermarkMax && !waiting_.empty() ? Flow::kBlocked : Flow::kNeedInput;
  }

  /// Answers have come while there was no input.
  [[nodiscard]] int64_t next_timer_ms() const override { return source_->answered() ? 0 : INT64_MAX; }

  Result<Flow> on_timer(int64_t /*now_ms*/, Output& out) override {
    MR_TRY(pump());
    MR_ASSIGN(const bool more, emit(out));
    return more ? Flow::kMoreOutput : Flow::kNeedInput;
  }

  [[nodiscard]] int64_t hold_back(int64_t watermark) const override {
    for (const auto& [number, row] : waiting_) watermark = std::min(watermark, row.row.time - 1);
    return watermark;
  }

  Result<std::vector<SnapshotPartPtr>> snapshot() override {
    auto part = std::make_unique<RowsSnapshot>(state_);
    for (const auto& [number, row] : waiting_) {
      ByteWriter out;
      out.put(static_cast<uint8_t>(row.key.empty() ? 1 : 0));
      out.put_string(row.key);
      save_join_row(row.row, out);
      part->add(context_.subtask, number_key(number), out.take());
    }
    std::vector<SnapshotPartPtr> parts;
    parts.push_back(std::move(part));
    return parts;
  }

 private:
  /// Sorts by number as bytes.
  static std::string number_key(uint64_t number) {
    std::string key(8, '\0');
    for (size_t i = 0; i < 8; ++i) key[7 - i] = static_cast<char>((number >> (8 * i)) & 0xff);
    return key;
  }

  [[nodiscard]] int64_t now_ms() const { return context_.clock != nullptr ? context_.clock->wall_ms() : 0; }

  void take(const Batch& batch) {
    if (input_.at_start()) input_.start(0, batch);
    JoinInputRow in;
    while (input_.next(0, batch, in)) {
      WaitingRow row;
      row.row = std::move(in.row);
      if (!in.null_key) row.key = std::string(in.key);
      add(std::move(row), in.null_key);
    }
  }

  void add(WaitingRow row, bool null_key) {
    const uint64_t number = next_number_++;
    if (null_key) {
      static const LookupRowsPtr kNothing = std::make_shared<const std::vector<JoinRow>>();
      row.found = kNothing;
    } else {
      row.found = cache_.find(row.key, now_ms());
    }
    if (row.found) {
      ready_.insert(number);
    } else {
      auto [wanted, is_new] = wanted_.try_emplace(row.key);
      wanted->second.push_back(number);
      if (is_new) to_ask_.push_back(row.key);
    }
    waiting_.emplace(number, std::move(row));
  }

  /// Takes what was answered, asks for what is wanted.
  Status pump() {
    LookupAnswer answer;
    while (true) {
      while (source_->take(answer)) {
        MR_TRY(receive(answer));
        answer = {};
      }
      if (to_ask_.empty() || questions_.size() >= kLookupQuestionsMax) return {};
      const size_t count = std::min(kLookupKeysMax, to_ask_.size());
      const auto begin = to_ask_.begin();
      LookupQuestion question{{begin, begin + static_cast<std::ptrdiff_t>(count)}};
      to_ask_.erase(begin, begin + static_cast<std::ptrdiff_t>(count));
      ask(std::move(question), 0);
    }
  }

  void ask(LookupQuestion question, int64_t delay_ms) {
    const uint64_t ticket = next_ticket_++;
    std::vector<std::string> keys = question.keys;
    questions_.emplace(ticket, std::move(question));
    source_->ask(ticket, std::move(keys), delay_ms);
  }

  Status receive(LookupAnswer& answer) {
    auto question = questions_.extract(answer.ticket);
    if (question.empty()) return make_error(ErrorCode::kInternal, "an answer to nothing that was asked");
    LookupQuestion& asked = question.mapped();
    if (!answer.status) return try_again(std::move(asked), std::move(answer.status).error());
    std::vector<std::vector<JoinRow>> rows(asked.keys.size());
    for (uint32_t i = 0; i < answer.rows.rows; ++i) {
      JoinRow& row = rows.at(answer.key_of_row[i]).emplace_back();
      encode_row(answer.rows, i, row.bytes);
    }
    for (size_t i = 0; i < asked.keys.size(); ++i) {
      auto found = std::make_shared<const std::vector<JoinRow>>(std::move(rows[i]));
      cache_.put(asked.keys[i], found, now_ms());
      auto wanted = wanted_.extract(asked.keys[i]);
      for (const uint64_t number : wanted.mapped()) {
        waiting_.at(number).found = found;
        ready_.insert(number);
      }
    }
    return {};
  }

  Status try_again(LookupQuestion question, Error error) {
    if (context_.metrics.errors) context_.metrics.errors->add(1);
    if (!error.transient() || question.attempts >= config_->retry_attempts) {
      return std::unexpected(std::move(error).with_context("look-up"));
    }
    int64_t delay_ms = config_->retry_delay_ms;
    for (int64_t i = 1; i < question.attempts && delay_ms < kLookupPauseMaxMs; ++i) delay_ms *= 2;
    ++question.attempts;
    ask(std::move(question), std::min(delay_ms, kLookupPauseMaxMs));
    return {};
  }

  /// At most one batch; true when more could follow at once.
  Result<bool> emit(Output& out) {
    while (!ready_.empty() && !pairs_->full()) {
      const auto at = waiting_.find(*ready_.begin());
      if (config_->ordered && at != waiting_.begin()) break;
      MR_ASSIGN(const bool done, join(at->second));
      if (!done) break;
      ready_.erase(ready_.begin());
      waiting_.erase(at);
    }
    const bool more = pairs_->full();
    MR_TRY(pairs_->flush(out));
    return more;
  }

  /// False: the batch is full before the row's matches are through.
  Result<bool> join(WaitingRow& row) {
    for (; row.next < row.found->size(); ++row.next) {
      if (pairs_->full()) return false;
      const JoinPair pair{&row.row, &(*row.found)[row.next]};
      MR_TRY(pairs_->test({pair}, passes_));
      if (passes_[0] == 0) continue;
      row.matched = true;
      MR_TRY(pairs_->add(pair, row.row.time, RowKind::kInsert));
    }
    if (row.matched || !config_->keeps_left()) return true;
    if (pairs_->full()) return false;
    MR_TRY(pairs_->add({&row.row, nullptr}, row.row.time, RowKind::kInsert));
    return true;
  }

  std::shared_ptr<const JoinConfig> config_;
  JoinInput input_;
  std::unique_ptr<JoinPairs> pairs_;
  LookupSourcePtr source_;
  LookupCache cache_;
  OperatorContext context_;
  StateDescriptor state_;

  std::map<uint64_t, WaitingRow> waiting_;                         // by arrival
  std::set<uint64_t> ready_;                                       // of waiting_: answered
  std::unordered_map<std::string, std::vector<uint64_t>> wanted_;  // key: who waits for it
  std::vector<std::string> to_ask_;                                // keys of wanted_ in no question yet
  std::unordered_map<uint64_t, LookupQuestion> questions_;         // by ticket
  uint64_t next_number_ = 0;
  uint64_t next_ticket_ = 1;
  bool taken_ = false;  // of the batch that is offered
  std::vector<uint8_t> passes_;
};

}  // namespace

Result<OperatorPtr> make_lookup_join(std::shared_ptr<const JoinConfig> config, LookupSourcePtr source) {
  MR_ASSIGN(auto pairs, JoinPairs::make(*config));
  return std::make_unique<LookupJoin>(std::move(config), std::move(pairs), std::move(source));
}

}  // namespace millrace
