// Temporal join: a left row meets the version of the right side that was valid at its time: the newest with a time not
// above its own (a later arrival of the same time replaces). Left rows wait until the watermark of both sides reaches
// them. A `where` that fails gives no older version: inner drops the row, left shows NULLs.
#include <map>
#include <set>

#include "runtime/operators/join/input.h"
#include "runtime/operators/join/joins.h"
#include "runtime/operators/keyed_store.h"

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

class TemporalJoin final : public Operator {
 public:
  TemporalJoin(std::shared_ptr<const JoinConfig> config, std::unique_ptr<JoinPairs> pairs)
      : config_(std::move(config)), input_(*config_), pairs_(std::move(pairs)) {}

  Status open(const OperatorContext& context) override {
    context_ = context;
    store_ = std::make_unique<Store>(
        StateDescriptor{context.step, "temporal", StateKind::kKeyed, "left ROW by time, right ROW by time"});
    MR_TRY(store_->restore(context));
    for (const auto& [key, state] : store_->map()) {
      for (const auto& [time, row] : state.waiting) timers_[time].insert(key);
    }
    return {};
  }

  Result<Flow> process(uint32_t side, Batch& batch, Output& out) override {
    JoinInputRow in;
    while (input_.next(side, batch, in)) {
      if (side == 1) {
        add_version(in);
        continue;
      }
      if (in.null_key) {
        if (config_->keeps_left()) MR_TRY(pairs_->add({&in.row, nullptr}, in.row.time, RowKind::kInsert));
      } else {
        timers_[in.row.time].insert(std::string(in.key));
        const int64_t time = in.row.time;
        store_->at(in.key).waiting.emplace(time, std::move(in.row));
      }
      if (pairs_->full()) {
        MR_TRY(pairs_->flush(out));
        return Flow::kMoreOutput;
      }
    }
    MR_TRY(pairs_->flush(out));
    return Flow::kNeedInput;
  }

  Result<Flow> advance(int64_t watermark, Output& out) override {
    while (!timers_.empty() && timers_.begin()->first <= watermark) {
      auto& [time, keys] = *timers_.begin();
      while (!keys.empty()) {
        if (pairs_->full()) {
          MR_TRY(pairs_->flush(out));
          return Flow::kMoreOutput;
        }
        MR_TRY(join_waiting(*keys.begin(), time));
        keys.erase(keys.begin());
      }
      timers_.erase(timers_.begin());
    }
    MR_TRY(pairs_->flush(out));
    return Flow::kNeedInput;
  }

  Result<std::vector<SnapshotPartPtr>> snapshot() override {
    std::vector<SnapshotPartPtr> parts;
    parts.push_back(store_->snapshot(context_.max_parallelism));
    return parts;
  }

 private:
  using Store = KeyedStore<TemporalState, TemporalCodec>;

  void add_version(JoinInputRow& in) {
    if (in.null_key || in.kind == RowKind::kUpdateBefore) return;  // the row behind -U is its successor's business
    const int64_t time = in.row.time;
    store_->at(in.key).versions[time] = {std::move(in.row), in.kind == RowKind::kDelete};
  }

  Status join_waiting(const std::string& key, int64_t time) {
    TemporalState* state = store_->find(key);
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
    return pairs_->add({&left, nullptr}, left.time, RowKind::kInsert);
  }

  std::shared_ptr<const JoinConfig> config_;
  JoinInput input_;
  std::unique_ptr<JoinPairs> pairs_;
  OperatorContext context_;
  std::unique_ptr<Store> store_;
  std::map<int64_t, std::set<std::string>> timers_;
  std::vector<uint8_t> passes_;
};

}  // namespace

Result<OperatorPtr> make_temporal_join(std::shared_ptr<const JoinConfig> config) {
  MR_ASSIGN(auto pairs, JoinPairs::make(*config));
  return std::make_unique<TemporalJoin>(std::move(config), std::move(pairs));
}

}  // namespace millrace
