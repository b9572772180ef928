// Temporal join: a left row meets the version of the right side that was valid at its time: the newest with a time not
// above its own (a later arrival of the same time replaces). Left rows wait until the watermark of both sides reaches
// them. A `where` that fails gives no older version: inner drops the row, left shows NULLs.
#include <map>

#include "runtime/operators/join/joins.h"
#include "runtime/operators/join/stored_join.h"

namespace millrace {
namespace {

struct TemporalVersion {
  JoinRow row;
  bool deleted = false;
};

struct TemporalState {
  std::multimap<int64_t, JoinRow> waiting;  // left rows by time, in order of arrival
  std::map<int64_t, TemporalVersion> versions;
};

struct TemporalCodec {
  static void save(const TemporalState& state, ByteWriter& out) {
    out.put_varint(state.waiting.size());
    for (const auto& [time, row] : state.waiting) save_join_row(row, out);
    out.put_varint(state.versions.size());
    for (const auto& [time, version] : state.versions) {
      out.put(static_cast<uint8_t>(version.deleted));
      save_join_row(version.row, out);
    }
  }
  static bool load(ByteReader& in, TemporalState& state) {
    for (uint64_t left = in.get_varint(); left > 0 && in.ok(); --left) {
      JoinRow row;
      if (!load_join_row(in, row)) return false;
      const int64_t time = row.time;
      state.waiting.emplace(time, std::move(row));
    }
    for (uint64_t left = in.get_varint(); left > 0 && in.ok(); --left) {
      TemporalVersion version;
      version.deleted = in.get<uint8_t>() != 0;
      if (!load_join_row(in, version.row)) return false;
      const int64_t time = version.row.time;
      state.versions.emplace(time, std::move(version));
    }
    return in.ok();
  }
};

class TemporalJoin final : public StoredJoin<TemporalState, TemporalCodec> {
 public:
  TemporalJoin(std::shared_ptr<const JoinConfig> config, std::unique_ptr<JoinPairs> pairs)
      : StoredJoin(std::move(config), std::move(pairs), "temporal") {}

 private:
  Status take(uint32_t side, JoinInputRow& in) override {
    if (side == 1) return add_version(in);
    if (in.null_key) return config_->keeps_left() ? alone(0, in.row, RowKind::kInsert, in.row.time) : Status{};
    const int64_t time = in.row.time;
    set_timer(time, in.key);
    MR_ASSIGN(TemporalState * state, store_->at(in.key));
    state->waiting.emplace(time, std::move(in.row));
    return {};
  }

  void timers_of(const std::string& key, const TemporalState& state) override {
    for (const auto& [time, row] : state.waiting) set_timer(time, key);
  }

  [[nodiscard]] bool has_timers() const override { return true; }

  Status add_version(JoinInputRow& in) {
    if (in.null_key || in.kind == RowKind::kUpdateBefore) return {};  // the row behind -U is its successor's business
    const int64_t time = in.row.time;
    MR_ASSIGN(TemporalState * state, store_->at(in.key));
    state->versions[time] = {std::move(in.row), in.kind == RowKind::kDelete};
    return {};
  }

  Status fire(const std::string& key, int64_t time) override {
    MR_ASSIGN(TemporalState * state, store_->find(key));
    if (state == nullptr) return {};
    auto newer = state->versions.upper_bound(time);
    const JoinRow* version = nullptr;
    if (newer != state->versions.begin()) {
      const TemporalVersion& valid = std::prev(newer)->second;
      if (!valid.deleted) version = &valid.row;
      state->versions.erase(state->versions.begin(), std::prev(newer));  // no left row that comes needs older ones
    }
    const auto [first, last] = state->waiting.equal_range(time);
    for (auto it = first; it != last; ++it) MR_TRY(join_row(it->second, version));
    state->waiting.erase(first, last);
    return {};
  }

  Status join_row(const JoinRow& left, const JoinRow* version) {
    if (version != nullptr) {
      MR_TRY(pairs_->test({{&left, version}}, passes_));
      if (passes_[0] != 0) return pairs_->add({&left, version}, left.time, RowKind::kInsert);
    }
    if (!config_->keeps_left()) return {};
    return alone(0, left, RowKind::kInsert, left.time);
  }
};

}  // namespace

Result<OperatorPtr> make_temporal_join(std::shared_ptr<const JoinConfig> config) {
  MR_ASSIGN(auto pairs, JoinPairs::make(*config));
  return std::make_unique<TemporalJoin>(std::move(config), std::move(pairs));
}

}  // namespace millrace
