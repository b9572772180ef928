// The frame of operators that keep whole rows per key and act at points of event time (sort, top, dedup, over): a
// KeyedStore, timers derived from it, the watermark of the last firing. Timers fire in the order of time; a timer at or
// below the watermark fires at its next advance. Task's thread.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "runtime/operators/keyed_store.h"
#include "runtime/operators/row_input.h"
#include "runtime/operators/window/progress.h"

namespace millrace {

template <class T, class Codec>
class TimedRows : public Operator {
 public:
  TimedRows(RowInput input, std::string kind) : input_(std::move(input)), kind_(std::move(kind)) {}

  Status open(const OperatorContext& context) override {
    context_ = context;
    store_ = std::make_unique<Store>(context.state(kind_));
    progress_ = context.state(kind_ + "_progress", StateKind::kSplit);
    if (context.restored == nullptr) return {};
    MR_TRY(store_->restore(context));
    for (auto& [key, state] : store_->map()) timers_of(key, state);
    return restore_progress(progress_, context, watermark_, arrival_);
  }

  Result<Flow> process(uint32_t /*input*/, Batch& batch, Output& out) override {
    if (input_.at_start()) MR_TRY(start(batch));
    InputRow in;
    while (input_.next(batch, in)) {
      ++arrival_;
      MR_TRY(take(batch, in));
      if (full()) {
        flush(out);
        return Flow::kMoreOutput;
      }
    }
    flush(out);
    if (context_.metrics.state_keys) context_.metrics.state_keys->set(static_cast<double>(store_->map().size()));
    return Flow::kNeedInput;
  }

  Result<Flow> advance(int64_t watermark, Output& out) override {
    // Told again behind a restore: a timer that was set at or below it still waits for the next.
    if (watermark <= watermark_ && watermark_ != kWatermarkMin) return Flow::kNeedInput;
    while (!timers_.empty() && timers_.begin()->first <= watermark) {
      const auto at = timers_.begin();
      while (!at->second.empty()) {
        if (full()) {
          flush(out);
          return Flow::kMoreOutput;
        }
        const std::string key = std::move(at->second.extract(at->second.begin()).value());
        MR_TRY(fire(key, at->first));
      }
      timers_.erase(at);
    }
    flush(out);
    watermark_ = watermark;
    return Flow::kNeedInput;
  }

  Result<std::vector<SnapshotPartPtr>> snapshot() override {
    std::vector<SnapshotPartPtr> parts;
    parts.push_back(store_->snapshot(context_.max_parallelism));
    parts.push_back(snapshot_progress(progress_, context_.subtask, watermark_, arrival_));
    return parts;
  }

 protected:
  using Store = KeyedStore<T, Codec>;

  /// Before the first row of a batch.
  virtual Status start(const Batch& /*batch*/) { return {}; }
  virtual Status take(const Batch& batch, const InputRow& in) = 0;
  virtual Status fire(const std::string& key, int64_t time) = 0;
  /// After a restore: sets the timers of a key again.
  virtual void timers_of(const std::string& key, T& state) = 0;
  [[nodiscard]] virtual bool full() const = 0;
  virtual void flush(Output& out) = 0;

  void set_timer(int64_t time, std::string_view key) { timers_[time].emplace(key); }
  void count_late() {
    if (context_.metrics.late_records) context_.metrics.late_records->add(1);
  }

  OperatorContext context_;
  std::unique_ptr<Store> store_;
  RowInput input_;
  std::map<int64_t, std::set<std::string, std::less<>>> timers_;
  int64_t watermark_ = kWatermarkMin;
  uint64_t arrival_ = 0;  // rows seen

 private:
  std::string kind_;
  StateDescriptor progress_;
};

}  // namespace millrace
