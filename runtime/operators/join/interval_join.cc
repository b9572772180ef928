// Interval join: right time − left time within [from, to]. A row waits until the watermark shows that no partner can
// come any more; outer and anti joins emit it then, so their watermark is held back by that wait.
//
// A batch is taken as a whole: its rows are appended to the kept columns and its keys are looked up at once. Rows of
// one side never meet each other, so `where` is tested for the candidates of many rows together.
#include <algorithm>
#include <queue>
#include <vector>

#include "core/hash.h"
#include "runtime/operators/join/interval_rows.h"
#include "runtime/operators/join/joins.h"
#include "runtime/operators/join/pair_queue.h"
#include "runtime/operators/keyed_objects.h"
#include "runtime/operators/window/progress.h"

namespace millrace {
namespace {

class IntervalJoin final : public Operator {
 public:
  IntervalJoin(std::shared_ptr<const JoinConfig> config, JoinProjection projection)
      : config_(std::move(config)),
        rows_{KeptRows(config_->inputs[0]), KeptRows(config_->inputs[1])},
        queue_(*config_, std::move(projection), rows_[0], rows_[1]) {}

  Status open(const OperatorContext& context) override;
  Result<Flow> process(uint32_t input, Batch& batch, Output& out) override;
  Result<Flow> advance(int64_t watermark, Output& out) override;
  Result<std::vector<SnapshotPartPtr>> snapshot() override;

  [[nodiscard]] int64_t hold_back(int64_t watermark) const override {
    if (watermark == kWatermarkMax || watermark == kWatermarkMin) return watermark;
    int64_t wait = 0;
    if (config_->keeps_left()) wait = std::max(wait, config_->to_ms);
    if (config_->keeps_right()) wait = std::max(wait, -config_->from_ms);
    return watermark < kWatermarkMin + wait ? kWatermarkMin : watermark - wait;
  }

 private:
  struct Timer {
    int64_t time;
    IntervalKey* key;
    /// In the order of time, then of keys.
    bool operator>(const Timer& other) const {
      if (time != other.time) return time > other.time;
      return key != other.key &&
             KeyedObjects<IntervalKey>::key_of(*key) > KeyedObjects<IntervalKey>::key_of(*other.key);
    }
  };
  /// Rows of the other side in reach of row `index` of the batch.
  struct Reach {
    uint32_t index;
    std::span<IntervalRow> others;
  };

  void start(uint32_t side, const Batch& batch);
  void collect(uint32_t side, const Batch& batch);
  [[nodiscard]] std::span<IntervalRow> in_reach(uint32_t side, int64_t time, IntervalKey& key) const;
  Status match(uint32_t side);
  void meet(uint32_t side, IntervalRow& row, IntervalRow& other);
  void keep(uint32_t side, const IntervalRow& row, IntervalKey& key);
  void finish_batch();

  [[nodiscard]] int64_t expiry(uint32_t side, int64_t time) const;
  void leave(uint32_t side, const IntervalRow& row);
  void arm(IntervalKey& key, int64_t until);
  void arm_first(IntervalKey& key);
  void fire(IntervalKey& key);
  Status load(std::string_view key, ByteReader& in);
  void save(const IntervalKey& key, ByteWriter& out) const;

  std::shared_ptr<const JoinConfig> config_;
  KeptRows rows_[2];
  PairQueue queue_;
  OperatorContext context_;
  StateDescriptor state_;
  StateDescriptor progress_;
  KeyedObjects<IntervalKey> keys_;
  std::priority_queue<Timer, std::vector<Timer>, std::greater<>> timers_;
  int64_t watermark_ = kWatermarkMin;
  bool advancing_ = false;

  // The batch in work; the vectors have one entry per selected row.
  bool started_ = false;
  size_t position_ = 0;
  EncodedKeys encoded_;
  std::vector<uint32_t> with_key_;     // rows whose key has no NULL: NULL is equal to nothing
  std::vector<IntervalKey*> objects_;  // null: no key
  std::vector<IntervalRow> taken_;
  std::vector<KeptRows::Ref> refs_;
  std::vector<IntervalKey*> maybe_idle_;

  // The part of it whose candidates are tested together.
  std::vector<Reach> reaches_;
  PairRefs candidates_;
  std::vector<uint8_t> passes_;
};

Status IntervalJoin::open(const OperatorContext& context) {
  context_ = context;
  state_ = context.state("interval");
  progress_ = context.state("interval_progress", StateKind::kSplit);
  if (context.restored == nullptr) return {};
  MR_TRY(context.restored->visit(state_, context.key_groups, context.subtask, context.parallelism,
                                 [&](uint32_t, std::string_view key, std::string_view value) -> Status {
                                   ByteReader in(value);
                                   return load(key, in);
                                 }));
  uint64_t arrival = 0;
  return restore_progress(progress_, context, watermark_, arrival);
}

// ---- rows ----

/// The watermark at which no partner of a row can come any more.
int64_t IntervalJoin::expiry(uint32_t side, int64_t time) const {
  int64_t at = 0;
  const int64_t wait = side == 0 ? config_->to_ms : -config_->from_ms;
  return __builtin_add_overflow(time, wait, &at) ? kWatermarkMax : at;
}

void IntervalJoin::start(uint32_t side, const Batch& batch) {
  const std::vector<uint32_t>& columns = config_->keys[side];
  encode_keys(batch, *config_->inputs[side], columns, encoded_);
  refs_.clear();
  rows_[side].append(batch, refs_);
  with_key_.clear();
  taken_.clear();
  for (uint32_t i = 0; i < batch.selected(); ++i) {
    const uint32_t row = batch.row_at(i);
    taken_.push_back({(*batch.event_times)[row], refs_[i], 0});
    if (std::ranges::none_of(columns, [&](uint32_t column) { return batch.columns[column]->is_null(row); })) {
      with_key_.push_back(i);
    }
  }
  objects_.assign(batch.selected(), nullptr);
  if (!with_key_.empty()) keys_.find_or_make(encoded_, with_key_, objects_);
  maybe_idle_.clear();
  position_ = 0;
}

std::span<IntervalRow> IntervalJoin::in_reach(uint32_t side, int64_t time, IntervalKey& key) const {
  const std::span<IntervalRow> others = key.sides[1 - side].rows();
  const int64_t low = side == 0 ? time + config_->from_ms : time - config_->to_ms;
  const int64_t high = side == 0 ? time + config_->to_ms : time - config_->from_ms;
  const auto first = std::ranges::lower_bound(others, low, {}, &IntervalRow::time);
  auto last = first;
  while (last != others.end() && last->time <= high) ++last;
  return {first, last};
}

/// Rows from position_ on until their candidates fill a batch.
void IntervalJoin::collect(uint32_t side, const Batch& batch) {
  constexpr size_t kPrefetch = 8;
  reaches_.clear();
  candidates_.clear();
  size_t candidates = 0;
  for (; position_ < batch.selected() && candidates < kBatchRowsMax; ++position_) {
    if (position_ + kPrefetch < objects_.size()) __builtin_prefetch(objects_[position_ + kPrefetch]);
    IntervalKey* key = objects_[position_];
    Reach reach{static_cast<uint32_t>(position_), {}};
    if (key != nullptr) reach.others = in_reach(side, taken_[position_].time, *key);
    candidates += reach.others.size();
    reaches_.push_back(reach);
    if (!queue_.has_where()) continue;
    const KeptRows::Ref own = taken_[position_].ref;
    for (const IntervalRow& other : reach.others) {
      candidates_.add(side == 0 ? own : other.ref, side == 0 ? other.ref : own);
    }
  }
}

Status IntervalJoin::match(uint32_t side) {
  if (queue_.has_where()) MR_TRY(queue_.test(candidates_, passes_));
  size_t candidate = 0;
  for (const Reach& reach : reaches_) {
    IntervalRow& row = taken_[reach.index];
    for (IntervalRow& other : reach.others) {
      if (!queue_.has_where() || passes_[candidate] != 0) meet(side, row, other);
      ++candidate;
    }
    // Moves rows of this side only: what the others reach stays in place.
    if (IntervalKey* key = objects_[reach.index]) {
      keep(side, row, *key);
    } else {
      leave(side, row);
    }
  }
  return {};
}

void IntervalJoin::meet(uint32_t side, IntervalRow& row, IntervalRow& other) {
  const IntervalRow& left = side == 0 ? row : other;
  const IntervalRow& right = side == 0 ? other : row;
  const bool first = left.matches == 0;
  ++row.matches;
  ++other.matches;
  if (config_->type == JoinType::kAnti) return;
  const int64_t time = std::max(left.time, right.time);
  if (config_->type != JoinType::kSemi) {
    queue_.add(left.ref, right.ref, time);
  } else if (first) {
    queue_.add(left.ref, KeptRows::kNone, time);
  }
}

void IntervalJoin::keep(uint32_t side, const IntervalRow& row, IntervalKey& key) {
  const int64_t until = expiry(side, row.time);
  if (until > watermark_) {
    arm(key, until);
    key.sides[side].add(row);
    return;
  }
  leave(side, row);  // late: it met what is still there, and no one will come for it
  if (key.idle()) maybe_idle_.push_back(&key);
}

/// No partner will come any more.
void IntervalJoin::leave(uint32_t side, const IntervalRow& row) {
  if (row.matches == 0 && config_->keeps(static_cast<int>(side))) {
    queue_.add(side == 0 ? row.ref : KeptRows::kNone, side == 0 ? KeptRows::kNone : row.ref, row.time);
  }
  rows_[side].release(row.ref);
}

Result<Flow> IntervalJoin::process(uint32_t side, Batch& batch, Output& out) {
  if (!started_) start(side, batch);
  started_ = true;
  while (position_ < batch.selected() && !queue_.full()) {
    collect(side, batch);
    MR_TRY(match(side));
  }
  MR_TRY(queue_.flush(out));
  if (!queue_.empty() || position_ < batch.selected()) return Flow::kMoreOutput;
  finish_batch();
  return Flow::kNeedInput;
}

void IntervalJoin::finish_batch() {
  started_ = false;
  std::ranges::sort(maybe_idle_);
  const auto repeated = std::ranges::unique(maybe_idle_);
  maybe_idle_.erase(repeated.begin(), repeated.end());
  for (IntervalKey* key : maybe_idle_) {
    if (key->idle()) keys_.erase(*key);
  }
  for (KeptRows& rows : rows_) rows.sweep();
  if (context_.metrics.state_keys) context_.metrics.state_keys->set(static_cast<double>(keys_.size()));
}

// ---- time ----

/// A key has the timer of its first row to go; whoever is next gets one when that fires.
void IntervalJoin::arm(IntervalKey& key, int64_t until) {
  if (key.timer && until >= *key.timer) return;
  key.timer = until;
  ++key.timers;
  timers_.push({until, &key});
}

void IntervalJoin::arm_first(IntervalKey& key) {
  for (uint32_t side = 0; side < 2; ++side) {
    if (!key.sides[side].empty()) arm(key, expiry(side, key.sides[side].front().time));
  }
}

void IntervalJoin::fire(IntervalKey& key) {
  key.timer.reset();
  for (uint32_t side = 0; side < 2; ++side) {
    IntervalSide& kept = key.sides[side];
    while (!kept.empty() && expiry(side, kept.front().time) <= watermark_) {
      leave(side, kept.front());
      kept.drop_front();
    }
  }
  arm_first(key);
}

Result<Flow> IntervalJoin::advance(int64_t watermark, Output& out) {
  // Told again behind a restore: a timer that was set at or below it still waits for the next.
  if (watermark <= watermark_ && watermark_ != kWatermarkMin && !advancing_) return Flow::kNeedInput;
  advancing_ = true;
  watermark_ = watermark;
  while (!timers_.empty() && timers_.top().time <= watermark && !queue_.full()) {
    const Timer timer = timers_.top();
    timers_.pop();
    --timer.key->timers;
    if (timer.key->timer == timer.time) fire(*timer.key);
    if (timer.key->idle()) keys_.erase(*timer.key);
  }
  MR_TRY(queue_.flush(out));
  if (!queue_.empty() || (!timers_.empty() && timers_.top().time <= watermark)) return Flow::kMoreOutput;
  for (KeptRows& rows : rows_) rows.sweep();
  advancing_ = false;
  return Flow::kNeedInput;
}

// ---- snapshots ----

/// Per side the number of rows, then of each: i64 time, u32 matches, i64 0, string row (data/row_codec.h).
void IntervalJoin::save(const IntervalKey& key, ByteWriter& out) const {
  std::string bytes;
  for (uint32_t side = 0; side < 2; ++side) {
    const std::span<const IntervalRow> kept = key.sides[side].rows();
    out.put_varint(kept.size());
    for (const IntervalRow& row : kept) {
      bytes.clear();
      rows_[side].encode(row.ref, bytes);
      out.put(row.time);
      out.put(row.matches);
      out.put(int64_t{0});
      out.put_string(bytes);
    }
  }
}

Status IntervalJoin::load(std::string_view name, ByteReader& in) {
  IntervalKey& key = keys_.at(hash64(name), name);
  for (uint32_t side = 0; side < 2; ++side) {
    for (uint64_t left = in.get_varint(); left > 0 && in.ok(); --left) {
      IntervalRow row;
      row.time = in.get<int64_t>();
      row.matches = in.get<uint32_t>();
      in.get<int64_t>();
      const std::string_view bytes = in.get_string();
      if (in.ok()) row.ref = rows_[side].append(bytes);
      if (row.ref == KeptRows::kNone) break;
      key.sides[side].add(row);
    }
  }
  if (!in.done()) return make_error(ErrorCode::kCorruptState, "a row of state `interval` cannot be read");
  arm_first(key);
  return {};
}

Result<std::vector<SnapshotPartPtr>> IntervalJoin::snapshot() {
  auto part = std::make_unique<RowsSnapshot>(state_);
  keys_.for_each([&](const IntervalKey& key) {
    if (key.sides[0].empty() && key.sides[1].empty()) return;
    ByteWriter out;
    save(key, out);
    const uint32_t group = key_group_of(KeyedObjects<IntervalKey>::hash_of(key), context_.max_parallelism);
    part->add(group, std::string(KeyedObjects<IntervalKey>::key_of(key)), out.take());
  });
  std::vector<SnapshotPartPtr> parts;
  parts.push_back(std::move(part));
  parts.push_back(snapshot_progress(progress_, context_.subtask, watermark_, 0));
  return parts;
}

}  // namespace

Result<OperatorPtr> make_interval_join(std::shared_ptr<const JoinConfig> config) {
  MR_ASSIGN(auto projection, JoinProjection::make(*config));
  return std::make_unique<IntervalJoin>(std::move(config), std::move(projection));
}

}  // namespace millrace
