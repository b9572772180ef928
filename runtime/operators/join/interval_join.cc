// Interval join: right time − left time within [from, to]. A row waits until the watermark shows that no partner can
// come any more; outer and anti joins emit it then, so their watermark is held back by that wait.
#include <algorithm>
#include <map>

#include "runtime/operators/join/input.h"
#include "runtime/operators/join/joins.h"
#include "runtime/operators/keyed_store.h"

namespace millrace {
namespace {

struct IntervalState {
  std::multimap<int64_t, JoinRow> rows[2];  // by time
};

struct IntervalCodec {
  static void save(const IntervalState& state, ByteWriter& out) {
    for (const auto& side : state.rows) {
      out.put_varint(side.size());
      for (const auto& [time, row] : side) save_join_row(row, out);
    }
  }
  static bool load(ByteReader& in, IntervalState& state) {
    for (auto& side : state.rows) {
      for (uint64_t left = in.get_varint(); left > 0 && in.ok(); --left) {
        JoinRow row;
        if (!load_join_row(in, row)) return false;
        const int64_t time = row.time;
        side.emplace(time, std::move(row));
      }
    }
    return in.ok();
  }
};

class IntervalJoin final : public Operator {
 public:
  IntervalJoin(std::shared_ptr<const JoinConfig> config, std::unique_ptr<JoinPairs> pairs)
      : config_(std::move(config)), input_(*config_), pairs_(std::move(pairs)) {}

  Status open(const OperatorContext& context) override {
    context_ = context;
    store_ = std::make_unique<Store>(
        StateDescriptor{context.step, "interval", StateKind::kKeyed, "left ROW, right ROW by time"});
    MR_TRY(store_->restore(context));
    for (const auto& [key, state] : store_->map()) {
      for (int side = 0; side < 2; ++side) {
        for (const auto& [time, row] : state.rows[side]) expiries_[expiry(side, time)].push_back(key);
      }
    }
    return {};
  }

  Result<Flow> process(uint32_t side, Batch& batch, Output& out) override {
    JoinInputRow in;
    while (input_.next(side, batch, in)) {
      MR_TRY(take(side, in));
      if (pairs_->full()) {
        MR_TRY(pairs_->flush(out));
        return Flow::kMoreOutput;
      }
    }
    MR_TRY(pairs_->flush(out));
    return Flow::kNeedInput;
  }

  Result<Flow> advance(int64_t watermark, Output& out) override {
    watermark_ = watermark;
    while (!expiries_.empty() && expiries_.begin()->first <= watermark) {
      std::vector<std::string>& keys = expiries_.begin()->second;
      while (!keys.empty()) {
        if (pairs_->full()) {
          MR_TRY(pairs_->flush(out));
          return Flow::kMoreOutput;
        }
        MR_TRY(expire(keys.back(), watermark));
        keys.pop_back();
      }
      expiries_.erase(expiries_.begin());
    }
    MR_TRY(pairs_->flush(out));
    return Flow::kNeedInput;
  }

  [[nodiscard]] int64_t hold_back(int64_t watermark) const override {
    if (watermark == kWatermarkMax || watermark == kWatermarkMin) return watermark;
    int64_t wait = 0;
    if (config_->keeps_left()) wait = std::max(wait, config_->to_ms);
    if (config_->keeps_right()) wait = std::max(wait, -config_->from_ms);
    return watermark < kWatermarkMin + wait ? kWatermarkMin : watermark - wait;
  }

  Result<std::vector<SnapshotPartPtr>> snapshot() override {
    std::vector<SnapshotPartPtr> parts;
    parts.push_back(store_->snapshot(context_.max_parallelism));
    return parts;
  }

 private:
  using Store = KeyedStore<IntervalState, IntervalCodec>;

  /// The watermark at which no partner of a row can come any more.
  [[nodiscard]] int64_t expiry(int side, int64_t time) const {
    int64_t at = 0;
    const int64_t wait = side == 0 ? config_->to_ms : -config_->from_ms;
    return __builtin_add_overflow(time, wait, &at) ? kWatermarkMax : at;
  }

  Status take(uint32_t side, JoinInputRow& in) {
    if (in.null_key) return config_->keeps(static_cast<int>(side)) ? alone(side, in.row) : Status{};
    IntervalState& state = store_->at(in.key);
    MR_TRY(match(side, in.row, state));
    const int64_t until = expiry(static_cast<int>(side), in.row.time);
    if (until <= watermark_) {  // late: it met what is still there, and no one will come for it
      if (in.row.matches == 0 && config_->keeps(static_cast<int>(side))) MR_TRY(alone(side, in.row));
      if (state.rows[0].empty() && state.rows[1].empty()) store_->erase(in.key);
      return {};
    }
    expiries_[until].emplace_back(in.key);
    const int64_t time = in.row.time;
    state.rows[side].emplace(time, std::move(in.row));
    return {};
  }

  Status match(uint32_t side, JoinRow& row, IntervalState& state) {
    auto& others = state.rows[1 - side];
    const int64_t low = side == 0 ? row.time + config_->from_ms : row.time - config_->to_ms;
    const int64_t high = side == 0 ? row.time + config_->to_ms : row.time - config_->from_ms;
    std::vector<JoinPair> candidates;
    std::vector<JoinRow*> partners;
    for (auto it = others.lower_bound(low); it != others.end() && it->first <= high; ++it) {
      candidates.push_back(side == 0 ? JoinPair{&row, &it->second} : JoinPair{&it->second, &row});
      partners.push_back(&it->second);
    }
    MR_TRY(pairs_->test(candidates, passes_));
    for (size_t i = 0; i < candidates.size(); ++i) {
      if (passes_[i] == 0) continue;
      const JoinPair& pair = candidates[i];
      const int64_t time = std::max(pair.left->time, pair.right->time);
      const bool first = pair.left->matches == 0;
      ++row.matches;
      ++partners[i]->matches;
      if (config_->type == JoinType::kAnti || (config_->type == JoinType::kSemi && !first)) continue;
      MR_TRY(
          pairs_->add(config_->type == JoinType::kSemi ? JoinPair{pair.left, nullptr} : pair, time, RowKind::kInsert));
    }
    return {};
  }

  Status alone(uint32_t side, const JoinRow& row) {
    return pairs_->add(side == 0 ? JoinPair{&row, nullptr} : JoinPair{nullptr, &row}, row.time, RowKind::kInsert);
  }

  Status expire(const std::string& key, int64_t watermark) {
    IntervalState* state = store_->find(key);
    if (state == nullptr) return {};
    for (uint32_t side = 0; side < 2; ++side) {
      auto& rows = state->rows[side];
      while (!rows.empty() && expiry(static_cast<int>(side), rows.begin()->first) <= watermark) {
        const JoinRow& row = rows.begin()->second;
        if (row.matches == 0 && config_->keeps(static_cast<int>(side))) MR_TRY(alone(side, row));
        rows.erase(rows.begin());
      }
    }
    if (state->rows[0].empty() && state->rows[1].empty()) store_->erase(key);
    return {};
  }

  std::shared_ptr<const JoinConfig> config_;
  JoinInput input_;
  std::unique_ptr<JoinPairs> pairs_;
  OperatorContext context_;
  std::unique_ptr<Store> store_;
  std::map<int64_t, std::vector<std::string>> expiries_;
  std::vector<uint8_t> passes_;
  int64_t watermark_ = kWatermarkMin;
};

}  // namespace

Result<OperatorPtr> make_interval_join(std::shared_ptr<const JoinConfig> config) {
  MR_ASSIGN(auto pairs, JoinPairs::make(*config));
  return std::make_unique<IntervalJoin>(std::move(config), std::move(pairs));
}

}  // namespace millrace
