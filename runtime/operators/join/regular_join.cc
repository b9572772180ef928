// Regular join: both sides are kept, every change of either side changes the result (a retract stream unless it is an
// inner join of append streams). Each kept row counts its partners, so that outer, semi and anti joins know when the
// first comes and the last goes. With `ttl` a row that was stored longer ago (wall clock) is gone.
#include <algorithm>

#include "runtime/operators/join/joins.h"
#include "runtime/operators/join/stored_join.h"

namespace millrace {
namespace {

struct RegularState {
  std::vector<JoinRow> rows[2];
};

struct RegularCodec {
  static void save(const RegularState& state, ByteWriter& out) {
    for (const auto& side : state.rows) {
      out.put_varint(side.size());
      for (const JoinRow& row : side) save_join_row(row, out);
    }
  }
  static bool load(ByteReader& in, RegularState& state) {
    for (auto& side : state.rows) {
      for (uint64_t left = in.get_varint(); left > 0 && in.ok(); --left) {
        if (!load_join_row(in, side.emplace_back())) return false;
      }
    }
    return in.ok();
  }
};

class RegularJoin final : public StoredJoin<RegularState, RegularCodec> {
 public:
  RegularJoin(std::shared_ptr<const JoinConfig> config, std::unique_ptr<JoinPairs> pairs)
      : StoredJoin(std::move(config), std::move(pairs), "regular") {}

 private:
  [[nodiscard]] bool semi_or_anti() const {
    return config_->type == JoinType::kSemi || config_->type == JoinType::kAnti;
  }

  Status take(uint32_t side, JoinInputRow& in) override {
    const bool adds = in.kind == RowKind::kInsert || in.kind == RowKind::kUpdateAfter;
    if (in.null_key) {
      if (!config_->keeps(static_cast<int>(side))) return {};
      return alone(side, in.row, adds ? RowKind::kInsert : RowKind::kDelete, in.row.time);
    }
    MR_ASSIGN(RegularState * held, store_->at(in.key));
    RegularState& state = *held;
    in.row.stored_ms = context_.clock != nullptr ? context_.clock->wall_ms() : 0;
    if (config_->ttl_ms > 0) expire(state, in.row.stored_ms);
    MR_TRY(adds ? add(side, in.row, state) : remove(side, in.row, state));
    if (state.rows[0].empty() && state.rows[1].empty()) store_->erase(in.key);
    return {};
  }

  void expire(RegularState& state, int64_t now_ms) const {
    for (auto& rows : state.rows) {
      std::erase_if(rows, [&](const JoinRow& row) { return now_ms - row.stored_ms >= config_->ttl_ms; });
    }
  }

  /// The kept rows of the other side that fit.
  Status partners(uint32_t side, const JoinRow& row, RegularState& state) {
    candidates_.clear();
    partners_.clear();
    for (JoinRow& other : state.rows[1 - side]) {
      candidates_.push_back(side == 0 ? JoinPair{&row, &other} : JoinPair{&other, &row});
    }
    MR_TRY(pairs_->test(candidates_, passes_));
    for (size_t i = 0; i < candidates_.size(); ++i) {
      if (passes_[i] != 0) partners_.push_back(&state.rows[1 - side][i]);
    }
    return {};
  }

  Status add(uint32_t side, JoinRow& row, RegularState& state) {
    MR_TRY(partners(side, row, state));
    row.matches = static_cast<uint32_t>(partners_.size());
    for (JoinRow* other : partners_) {
      const int64_t time = std::max(row.time, other->time);
      const bool first = other->matches++ == 0;
      if (semi_or_anti()) {
        if (side == 1 && first) MR_TRY(left_changes(*other, config_->type == JoinType::kSemi, time));
        continue;
      }
      if (first && config_->keeps(static_cast<int>(1 - side))) MR_TRY(alone(1 - side, *other, RowKind::kDelete, time));
      MR_TRY(pairs_->add(side == 0 ? JoinPair{&row, other} : JoinPair{other, &row}, time, RowKind::kInsert));
    }
    if (side == 0 && config_->type == JoinType::kSemi && row.matches > 0) MR_TRY(left_changes(row, true, row.time));
    if (row.matches == 0 && config_->keeps(static_cast<int>(side))) {
      MR_TRY(alone(side, row, RowKind::kInsert, row.time));
    }
    state.rows[side].push_back(std::move(row));
    return {};
  }

  Status remove(uint32_t side, const JoinRow& row, RegularState& state) {
    auto& rows = state.rows[side];
    const auto kept = std::find_if(rows.begin(), rows.end(), [&](const JoinRow& r) { return r.bytes == row.bytes; });
    if (kept == rows.end()) return {};  // expired, or never seen
    rows.erase(kept);
    MR_TRY(partners(side, row, state));
    if (partners_.empty() && config_->keeps(static_cast<int>(side))) {
      MR_TRY(alone(side, row, RowKind::kDelete, row.time));
    }
    if (side == 0 && config_->type == JoinType::kSemi && !partners_.empty()) MR_TRY(left_changes(row, false, row.time));
    for (JoinRow* other : partners_) {
      const int64_t time = std::max(row.time, other->time);
      const bool last = other->matches > 0 && --other->matches == 0;
      if (semi_or_anti()) {
        if (side == 1 && last) MR_TRY(left_changes(*other, config_->type == JoinType::kAnti, time));
        continue;
      }
      MR_TRY(pairs_->add(side == 0 ? JoinPair{&row, other} : JoinPair{other, &row}, time, RowKind::kDelete));
      if (last && config_->keeps(static_cast<int>(1 - side))) MR_TRY(alone(1 - side, *other, RowKind::kInsert, time));
    }
    return {};
  }

  Status left_changes(const JoinRow& row, bool appears, int64_t time) {
    return alone(0, row, appears ? RowKind::kInsert : RowKind::kDelete, time);
  }

  std::vector<JoinPair> candidates_;
  std::vector<JoinRow*> partners_;
};

}  // namespace

Result<OperatorPtr> make_regular_join(std::shared_ptr<const JoinConfig> config) {
  MR_ASSIGN(auto pairs, JoinPairs::make(*config));
  return std::make_unique<RegularJoin>(std::move(config), std::move(pairs));
}

}  // namespace millrace
