// What all joins share: rows of both sides kept per key, timers in the order of time that are derived from them, pairs
// handed out in batches. A timer fires once the watermark reaches it. The watermark is part of the snapshot, so that a
// row which is late before a restore is late behind it. Task's thread.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "runtime/operators/fire_keys.h"
#include "runtime/operators/join/input.h"
#include "runtime/operators/key_timers.h"
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
    typename Store::Visit visit;
    if (has_timers()) {
      visit = [this](const std::string& key, const State& state) -> Status {
        timers_of(key, state);
        return {};
      };
    }
    MR_TRY(store_->open(context, {&timers_}, visit));
    if (context.restored == nullptr) return {};
    uint64_t arrival = 0;
    return restore_progress(progress_, context, watermark_, arrival);
  }

  Result<Flow> process(uint32_t side, Batch& batch, Output& out) override {
    if (input_.at_start()) MR_TRY(store_->prefetch(input_.start(side, batch)));
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
    MR_ASSIGN(const bool fired, fire_keys(
                                    timers_, *store_, watermark, [this] { return pairs_->full(); },
                                    [this](const std::string& key, int64_t time) { return fire(key, time); }));
    MR_TRY(pairs_->flush(out));
    if (!fired) return Flow::kMoreOutput;
    advancing_ = false;
    return Flow::kNeedInput;
  }

  Result<std::vector<SnapshotPartPtr>> snapshot() override {
    std::vector<SnapshotPartPtr> parts;
    parts.push_back(store_->snapshot());
    parts.push_back(snapshot_progress(progress_, context_.subtask, watermark_, 0));
    return parts;
  }

 protected:
  using Store = KeyedStore<State, Codec>;

  virtual Status take(uint32_t side, JoinInputRow& in) = 0;
  virtual Status fire(const std::string& /*key*/, int64_t /*time*/) { return {}; }
  /// After a restore: sets the timers of a key again.
  virtual void timers_of(const std::string& /*key*/, const State& /*state*/) {}
  /// Without timers a restore need not look at the keys.
  [[nodiscard]] virtual bool has_timers() const { return false; }

  void set_timer(int64_t time, std::string_view key) { timers_.set(time, key); }
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
  KeyTimers timers_;
};

}  // namespace millrace
