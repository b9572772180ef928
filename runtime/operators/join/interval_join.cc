// Interval join: right time − left time within [from, to]. A row waits until the watermark shows that no partner can
// come any more; outer and anti joins emit it then, so their watermark is held back by that wait.
#include <algorithm>
#include <optional>
#include <vector>

#include "runtime/operators/join/joins.h"
#include "runtime/operators/join/stored_join.h"

namespace millrace {
namespace {

struct IntervalState {
  std::vector<JoinRow> rows[2];          // by time, then as they came
  mutable std::optional<int64_t> timer;  // the earliest that is set; derived

  [[nodiscard]] bool empty() const { return rows[0].empty() && rows[1].empty(); }
  /// Rows mostly come in order of time.
  void add(uint32_t side, JoinRow row) {
    std::vector<JoinRow>& own = rows[side];
    auto at = own.end();
    if (!own.empty() && row.time < own.back().time) at = std::ranges::upper_bound(own, row.time, {}, &JoinRow::time);
    own.insert(at, std::move(row));
  }
};

struct IntervalCodec {
  static void save(const IntervalState& state, ByteWriter& out) {
    for (const auto& side : state.rows) {
      out.put_varint(side.size());
      for (const JoinRow& row : side) save_join_row(row, out);
    }
  }
  static bool load(ByteReader& in, IntervalState& state) {
    for (uint32_t side = 0; side < 2; ++side) {
      for (uint64_t left = in.get_varint(); left > 0 && in.ok(); --left) {
        JoinRow row;
        if (!load_join_row(in, row)) return false;
        state.add(side, std::move(row));
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
      if (state.empty()) store_->erase(in.key);
      return {};
    }
    arm(in.key, state, until);
    state.add(side, std::move(in.row));
    return {};
  }

  Status match(uint32_t side, JoinRow& row, IntervalState& state) {
    auto& others = state.rows[1 - side];
    const int64_t low = side == 0 ? row.time + config_->from_ms : row.time - config_->to_ms;
    const int64_t high = side == 0 ? row.time + config_->to_ms : row.time - config_->from_ms;
    candidates_.clear();
    const auto first_partner = std::ranges::lower_bound(others, low, {}, &JoinRow::time);
    for (auto it = first_partner; it != others.end() && it->time <= high; ++it) {
      candidates_.push_back(side == 0 ? JoinPair{&row, &*it} : JoinPair{&*it, &row});
    }
    if (candidates_.empty()) return {};
    MR_TRY(pairs_->test(candidates_, passes_));
    for (size_t i = 0; i < candidates_.size(); ++i) {
      if (passes_[i] == 0) continue;
      const JoinPair& pair = candidates_[i];
      const int64_t time = std::max(pair.left->time, pair.right->time);
      const bool first = pair.left->matches == 0;
      ++row.matches;
      ++first_partner[static_cast<std::ptrdiff_t>(i)].matches;
      if (config_->type == JoinType::kAnti || (config_->type == JoinType::kSemi && !first)) continue;
      MR_TRY(
          pairs_->add(config_->type == JoinType::kSemi ? JoinPair{pair.left, nullptr} : pair, time, RowKind::kInsert));
    }
    return {};
  }

  Status show_alone(uint32_t side, const JoinRow& row) { return alone(side, row, RowKind::kInsert, row.time); }

  /// A key has the timer of its first row to go; whoever is next gets one when that fires.
  void arm(std::string_view key, const IntervalState& state, int64_t until) {
    if (state.timer && until >= *state.timer) return;
    state.timer = until;
    set_timer(until, key);
  }

  void timers_of(const std::string& key, const IntervalState& state) override {
    state.timer.reset();
    for (int side = 0; side < 2; ++side) {
      if (!state.rows[side].empty()) arm(key, state, expiry(side, state.rows[side].front().time));
    }
  }

  Status fire(const std::string& key, int64_t /*time*/) override {
    IntervalState* state = store_->find(key);
    if (state == nullptr) return {};
    for (uint32_t side = 0; side < 2; ++side) {
      auto& rows = state->rows[side];
      auto first = rows.begin();
      for (; first != rows.end() && expiry(static_cast<int>(side), first->time) <= watermark_; ++first) {
        if (first->matches == 0 && config_->keeps(static_cast<int>(side))) MR_TRY(show_alone(side, *first));
      }
      rows.erase(rows.begin(), first);
    }
    if (state->empty()) {
      store_->erase(key);
    } else {
      timers_of(key, *state);
    }
    return {};
  }

  std::vector<JoinPair> candidates_;  // of the row in work
};

}  // namespace

Result<OperatorPtr> make_interval_join(std::shared_ptr<const JoinConfig> config) {
  MR_ASSIGN(auto pairs, JoinPairs::make(*config));
  return std::make_unique<IntervalJoin>(std::move(config), std::move(pairs));
}

}  // namespace millrace
