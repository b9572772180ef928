// What all joins share: rows of both sides kept per key, timers in the order of time that are derived from them, pairs
// handed out in batches. A timer fires once the watermark reaches it. The watermark is part of the snapshot, so that a
// row which is late before a restore is late behind it. Task's thread.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "runtime/operators/join/input.h"
#include "runtime/operators/keyed_store.h"
#include "runtime/operators/window/progress.h"

namespace millrace {

template <class State, class Codec>
class StoredJoin : public Operator {
 public:
  StoredJoin(std::shared_ptr<const JoinConfig> config, std::unique_ptr<JoinPairs> pairs, std::string state)
      : config_(std::move(config)), pairs_(std::move(pairs)), input_(*config_), state_(std::move(state)) {}

  Status open(const OperatorContext& context) override {
    context_ = context;
    store_ = std::make_unique<Store>(context.state(state_));
    progress_ = context.state(state_ + "_progress", StateKind::kSplit);
    if (context.restored == nullptr) return {};
    MR_TRY(store_->restore(context));
    for (const auto& [key, state] : store_->map()) timers_of(key, state);
    uint64_t arrival = 0;
    return restore_progress(progress_, context, watermark_, arrival);
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
    // Told again behind a restore: a timer that was set at or below it still waits for the next.
    if (watermark <= watermark_ && watermark_ != kWatermarkMin && !advancing_) return Flow::kNeedInput;
    advancing_ = true;
    watermark_ = watermark;
    while (!timers_.empty() && timers_.begin()->first <= watermark) {
      auto& [time, keys] = *timers_.begin();
      while (!keys.empty()) {
        if (pairs_->full()) {
          MR_TRY(pairs_->flush(out));
          return Flow::kMoreOutput;
        }
        MR_TRY(fire(*keys.begin(), time));
        keys.erase(keys.begin());
      }
      timers_.erase(timers_.begin());
    }
    MR_TRY(pairs_->flush(out));
    advancing_ = false;
    return Flow::kNeedInput;
  }

  Result<std::vector<SnapshotPartPtr>> snapshot() override {
    std::vector<SnapshotPartPtr> parts;
    parts.push_back(store_->snapshot(context_.max_parallelism));
    parts.push_back(snapshot_progress(progress_, context_.subtask, watermark_, 0));
    return parts;
  }

 protected:
  using Store = KeyedStore<State, Codec>;

  virtual Status take(uint32_t side, JoinInputRow& in) = 0;
  virtual Status fire(const std::string& /*key*/, int64_t /*time*/) { return {}; }
  /// After a restore: sets the timers of a key again.
  virtual void timers_of(const std::string& /*key*/, const State& /*state*/) {}

  void set_timer(int64_t time, std::string_view key) { timers_[time].emplace(key); }
  /// A row without a partner.
  Status alone(uint32_t side, const JoinRow& row, RowKind kind, int64_t time) {
    return pairs_->add(side == 0 ? JoinPair{&row, nullptr} : JoinPair{nullptr, &row}, time, kind);
  }

  std::shared_ptr<const JoinConfig> config_;
  std::unique_ptr<JoinPairs> pairs_;
  OperatorContext context_;
  std::unique_ptr<Store> store_;
  std::vector<uint8_t> passes_;
  int64_t watermark_ = kWatermarkMin;

 private:
  bool advancing_ = false;
  JoinInput input_;
  std::string state_;
  StateDescriptor progress_;
  std::map<int64_t, std::set<std::string, std::less<>>> timers_;
};

}  // namespace millrace
