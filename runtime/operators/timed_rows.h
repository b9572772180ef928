// The frame of operators that keep whole rows per key and act at points of event time (sort, top, dedup, over): a
// KeyedStore, timers derived from it, the watermark of the last firing. Timers fire in the order of time; a timer at or
// below the watermark fires at its next advance. Task's thread.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "runtime/operators/fire_keys.h"
#include "runtime/operators/key_timers.h"
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
    typename Store::Visit visit;
    if (has_timers()) {
      visit = [this](const std::string& key, const T& state) -> Status {
        timers_of(key, state);
        return {};
      };
    }
    MR_TRY(store_->open(context, timers(), visit));
    if (context.restored == nullptr) return {};
    return restore_progress(progress_, context, watermark_, arrival_);
  }

  Result<Flow> process(uint32_t /*input*/, Batch& batch, Output& out) override {
    if (input_.at_start()) {
      MR_TRY(store_->prefetch(input_.start(batch)));
      MR_TRY(start(batch));
    }
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
    if (context_.metrics.state_keys) context_.metrics.state_keys->set(static_cast<double>(store_->size()));
    return Flow::kNeedInput;
  }

  Result<Flow> advance(int64_t watermark, Output& out) override {
    // Told again behind a restore: a timer that was set at or below it still waits for the next.
    if (watermark <= watermark_ && watermark_ != kWatermarkMin) return Flow::kNeedInput;
    MR_ASSIGN(const bool fired, fire_keys(
                                    timers_, *store_, watermark, [this] { return full(); },
                                    [this](const std::string& key, int64_t time) { return fire(key, time); }));
    flush(out);
    if (!fired) return Flow::kMoreOutput;
    watermark_ = watermark;
    return Flow::kNeedInput;
  }

  Result<std::vector<SnapshotPartPtr>> snapshot() override {
    std::vector<SnapshotPartPtr> parts;
    parts.push_back(store_->snapshot());
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
  virtual void timers_of(const std::string& key, const T& state) = 0;
  /// Without timers a restore need not look at the keys.
  [[nodiscard]] virtual bool has_timers() const { return true; }
  virtual std::vector<KeyTimers*> timers() { return {&timers_}; }
  [[nodiscard]] virtual bool full() const = 0;
  virtual void flush(Output& out) = 0;

  void set_timer(int64_t time, std::string_view key) { timers_.set(time, key); }
  void count_late() {
    if (context_.metrics.late_records) context_.metrics.late_records->add(1);
  }

  OperatorContext context_;
  std::unique_ptr<Store> store_;
  RowInput input_;
  KeyTimers timers_;
  int64_t watermark_ = kWatermarkMin;
  uint64_t arrival_ = 0;  // rows seen

 private:
  std::string kind_;
  StateDescriptor progress_;
};

}  // namespace millrace
