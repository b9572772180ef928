// Interval join: right time − left time within [from, to]. A row waits until the watermark shows that no partner can
// come any more; outer and anti joins emit it then, so their watermark is held back by that wait.
#include <algorithm>
#include <map>

#include "runtime/operators/join/joins.h"
#include "runtime/operators/join/stored_join.h"

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

class IntervalJoin final : public StoredJoin<IntervalState, IntervalCodec> {
 public:
  IntervalJoin(std::shared_ptr<const JoinConfig> config, std::unique_ptr<JoinPairs> pairs)
      : StoredJoin(std::move(config), std::move(pairs), "interval", "left ROW, right ROW by time") {}

  [[nodiscard]] int64_t hold_back(int64_t watermark) const override {
    if (watermark == kWatermarkMax || watermark == kWatermarkMin) return watermark;
    int64_t wait = 0;
    if (config_->keeps_left()) wait = std::max(wait, config_->to_ms);
    if (config_->keeps_right()) wait = std::max(wait, -config_->from_ms);
    return watermark < kWatermarkMin + wait ? kWatermarkMin : watermark - wait;
  }

 private:
  /// The watermark at which no partner of a row can come any more.
  [[nodiscard]] int64_t expiry(int side, int64_t time) const {
    int64_t at = 0;
    const int64_t wait = side == 0 ? config_->to_ms : -config_->from_ms;
    return __builtin_add_overflow(time, wait, &at) ? kWatermarkMax : at;
  }

  Status take(uint32_t side, JoinInputRow& in) override {
    if (in.null_key) return config_->keeps(static_cast<int>(side)) ? show_alone(side, in.row) : Status{};
    IntervalState& state = store_->at(in.key);
    MR_TRY(match(side, in.row, state));
    const int64_t until = expiry(static_cast<int>(side), in.row.time);
    if (until <= watermark_) {  // late: it met what is still there, and no one will come for it
      if (in.row.matches == 0 && config_->keeps(static_cast<int>(side))) MR_TRY(show_alone(side, in.row));
      if (state.rows[0].empty() && state.rows[1].empty()) store_->erase(in.key);
      return {};
    }
    set_timer(until, in.key);
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

  Status show_alone(uint32_t side, const JoinRow& row) { return alone(side, row, RowKind::kInsert, row.time); }

  void timers_of(const std::string& key, const IntervalState& state) override {
    for (int side = 0; side < 2; ++side) {
      for (const auto& [time, row] : state.rows[side]) set_timer(expiry(side, time), key);
    }
  }

  Status fire(const std::string& key, int64_t /*time*/) override {
    IntervalState* state = store_->find(key);
    if (state == nullptr) return {};
    for (uint32_t side = 0; side < 2; ++side) {
      auto& rows = state->rows[side];
      while (!rows.empty() && expiry(static_cast<int>(side), rows.begin()->first) <= watermark_) {
        const JoinRow& row = rows.begin()->second;
        if (row.matches == 0 && config_->keeps(static_cast<int>(side))) MR_TRY(show_alone(side, row));
        rows.erase(rows.begin());
      }
    }
    if (state->rows[0].empty() && state->rows[1].empty()) store_->erase(key);
    return {};
  }
};

}  // namespace

Result<OperatorPtr> make_interval_join(std::shared_ptr<const JoinConfig> config) {
  MR_ASSIGN(auto pairs, JoinPairs::make(*config));
  return std::make_unique<IntervalJoin>(std::move(config), std::move(pairs));
}

}  // namespace millrace
