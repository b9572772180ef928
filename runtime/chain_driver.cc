#include "runtime/chain_driver.h"

#include <algorithm>

namespace millrace {

class ChainDriver::StageOutput final : public Output {
 public:
  StageOutput(ChainDriver& driver, uint32_t index) : driver_(driver), index_(index) {}
  void emit(uint32_t port, Batch batch) override {
    if (!batch.empty()) driver_.deliver(index_, port, std::move(batch));
  }

 private:
  ChainDriver& driver_;
  uint32_t index_;
};

struct ChainDriver::Frame {
  Frame(ChainDriver& driver, uint32_t index, Stage s) : stage(std::move(s)), output(driver, index) {}

  Stage stage;
  StageOutput output;
  bool has_batch = false;
  bool has_watermark = false;
  bool has_timer = false;
  bool has_release = false;
  bool done = false;  // answered kDone: its further input is dropped, watermarks pass
  bool counted_busy = false;
  uint32_t input = 0;
  Batch batch;
  int64_t watermark = kWatermarkMin;
  int64_t timer_ms = 0;
  int64_t reached = kWatermarkMin;  // the last one that advance() has done
  int64_t forwarded = kWatermarkMin;

  [[nodiscard]] bool busy() const { return has_batch || has_watermark || has_timer || has_release; }
};

ChainDriver::ChainDriver(OutputRouter& outputs, Clock& clock) : outputs_(outputs), clock_(clock) {}

ChainDriver::~ChainDriver() = default;

void ChainDriver::add(Stage stage) {
  frames_.push_back(std::make_unique<Frame>(*this, static_cast<uint32_t>(frames_.size()), std::move(stage)));
}

void ChainDriver::update_busy(Frame& frame) {
  if (frame.busy() == frame.counted_busy) return;
  frame.counted_busy = frame.busy();
  busy_stages_ += frame.counted_busy ? 1U : ~0U;
}

void ChainDriver::push_batch(uint32_t input, Batch batch) {
  Frame& head = *frames_.front();
  MR_CHECK(!head.has_batch, "a batch was pushed into a busy chain");
  if (batch.empty()) return;
  if (head.stage.records_in) head.stage.records_in->add(batch.selected());
  head.batch = std::move(batch);
  head.input = input;
  head.has_batch = true;
  update_busy(head);
}

void ChainDriver::push_watermark(int64_t watermark) {
  Frame& head = *frames_.front();
  head.watermark = watermark;
  head.has_watermark = true;
  update_busy(head);
}

Output& ChainDriver::source_output() { return frames_.front()->output; }

int64_t ChainDriver::next_timer_ms() const {
  int64_t next = INT64_MAX;
  for (const auto& frame : frames_) {
    if (frame->stage.op) next = std::min(next, frame->stage.op->next_timer_ms());
  }
  return next;
}

int64_t ChainDriver::retry_at_ms() const {
  int64_t next = INT64_MAX;
  for (const auto& frame : frames_) {
    if (frame->stage.op && frame->busy()) next = std::min(next, frame->stage.op->retry_at_ms());
  }
  return next;
}

void ChainDriver::push_timers(int64_t now_ms) {
  for (const auto& frame : frames_) {
    if (!frame->stage.op || frame->done || frame->stage.op->next_timer_ms() > now_ms) continue;
    frame->has_timer = true;
    frame->timer_ms = now_ms;
    update_busy(*frame);
  }
}

bool ChainDriver::push_release() {
  for (const auto& frame : frames_) {
    if (!frame->stage.op || frame->done || !frame->stage.op->holds_rows()) continue;
    frame->has_release = true;
    update_busy(*frame);
    return true;
  }
  return false;
}

void ChainDriver::deliver(uint32_t index, uint32_t port, Batch batch) {
  Stage& stage = frames_[index]->stage;
  if (port == 0 && stage.records_out) stage.records_out->add(batch.selected());
  if (port == 0 && !taps_.empty()) [[unlikely]]
    offer_taps(stage.node, batch);
  outputs_.emit(stage.node, port, batch, now_ms_);
  if (stage.chained_port != static_cast<int32_t>(port) || index + 1 == frames_.size()) return;
  Frame& next = *frames_[index + 1];
  MR_CHECK(!next.has_batch, "two batches in one call of " + stage.step);
  if (next.stage.records_in) next.stage.records_in->add(batch.selected());
  next.batch = std::move(batch);
  next.input = 0;
  next.has_batch = true;
  update_busy(next);
}

void ChainDriver::offer_taps(uint32_t node, const Batch& batch) {
  std::erase_if(taps_, [&](const TapPtr& tap) { return tap->node() == node && !tap->offer(batch, now_ms_); });
}

void ChainDriver::forward_watermark(uint32_t index, int64_t watermark) {
  Frame& frame = *frames_[index];
  if (watermark <= frame.forwarded) return;
  frame.forwarded = watermark;
  if (frame.stage.watermark) frame.stage.watermark->set(static_cast<double>(watermark) / 1000.0);
  outputs_.broadcast(frame.stage.node, ElementKind::kWatermark, watermark);
  if (index + 1 == frames_.size()) return;
  Frame& next = *frames_[index + 1];
  next.watermark = watermark;
  next.has_watermark = true;
  update_busy(next);
}

Result<Flow> ChainDriver::write(Frame& frame) {
  if (!frame.has_batch) return Flow::kNeedInput;  // watermarks end here
  Result<Flow> flow = frame.stage.sink->write(frame.batch, frame.output);
  if (flow && *flow == Flow::kNeedInput && frame.stage.latency) observe_latency(frame);
  return flow;
}

/// One look a batch: by its last row, for all of its rows.
void ChainDriver::observe_latency(Frame& frame) const {
  const uint32_t rows = frame.batch.selected();
  if (rows == 0 || frame.batch.event_times == nullptr) return;
  const int64_t event_time = (*frame.batch.event_times)[frame.batch.row_at(rows - 1)];
  frame.stage.latency->observe(static_cast<double>(now_ms_ - event_time) / 1000.0, rows);
}

Result<Flow> ChainDriver::call(Frame& frame) {
  if (frame.done) return Flow::kNeedInput;
  if (frame.stage.sink) return write(frame);
  if (!frame.stage.op) return Flow::kNeedInput;
  if (frame.has_timer) return frame.stage.op->on_timer(frame.timer_ms, frame.output);
  if (frame.has_batch) return frame.stage.op->process(frame.input, frame.batch, frame.output);
  if (frame.has_release) return frame.stage.op->release(frame.output);
  return frame.stage.op->advance(frame.watermark, frame.output);
}

Status ChainDriver::run(uint32_t index) {
  Frame& frame = *frames_[index];
  ++calls_;
  Result<Flow> flow = call(frame);
  if (!flow) return std::unexpected(fail(frame, std::move(flow).error()));
  switch (*flow) {
    case Flow::kMoreOutput:
      return {};
    case Flow::kBlocked:
      blocked_ = true;
      --calls_;  // nothing happened
      return {};
    case Flow::kDone:
      frame.done = true;
      break;
    case Flow::kNeedInput:
      break;
  }
  if (frame.has_timer) {
    frame.has_timer = false;
    // Rows that held the watermark back may have left without one arriving.
    if (frame.stage.op && !frame.done && frame.reached != kWatermarkMin) {
      forward_watermark(index, frame.stage.op->hold_back(frame.reached));
    }
  } else if (frame.has_batch) {
    frame.has_batch = false;
    frame.batch = Batch{};
  } else if (frame.has_release) {
    frame.has_release = false;
  } else {
    frame.has_watermark = false;
    frame.reached = frame.watermark;
    const bool holds = frame.stage.op && !frame.done;
    forward_watermark(index, holds ? frame.stage.op->hold_back(frame.watermark) : frame.watermark);
  }
  update_busy(frame);
  return {};
}

Result<Flow> ChainDriver::resume(int64_t deadline_ns, size_t overflow_bytes) {
  now_ms_ = clock_.wall_ms();
  while (true) {
    const bool drained = outputs_.drain();
    if (busy_stages_ == 0 && (drained || overflow_bytes > 0)) return Flow::kNeedInput;
    if (!drained && outputs_.outbox_bytes() >= overflow_bytes) return Flow::kBlocked;
    auto index = static_cast<uint32_t>(frames_.size() - 1);
    while (!frames_[index]->busy()) --index;
    blocked_ = false;
    MR_TRY(run(index));
    if (blocked_) return Flow::kBlocked;
    if (busy_stages_ != 0 && clock_.monotonic_ns() >= deadline_ns) return Flow::kMoreOutput;
  }
}

void ChainDriver::broadcast(ElementKind kind, int64_t value, bool final) {
  for (const auto& frame : frames_) outputs_.broadcast(frame->stage.node, kind, value, final);
}

Error ChainDriver::fail(const Frame& frame, Error error) {
  failed_step_ = frame.stage.step;
  return std::move(error).with_context("step `" + frame.stage.step + "`");
}

Result<std::vector<SnapshotPartPtr>> ChainDriver::snapshot(int64_t checkpoint_id) {
  MR_CHECK(idle(), "snapshot of a busy chain");
  std::vector<SnapshotPartPtr> parts;
  for (const auto& frame : frames_) {
    if (!frame->stage.op && !frame->stage.sink) continue;
    auto taken = frame->stage.op ? frame->stage.op->snapshot() : frame->stage.sink->snapshot_at(checkpoint_id);
    if (!taken) return std::unexpected(fail(*frame, std::move(taken).error()));
    for (SnapshotPartPtr& part : *taken) parts.push_back(std::move(part));
  }
  return parts;
}

Status ChainDriver::checkpoint_completed(int64_t checkpoint_id) {
  for (const auto& frame : frames_) {
    Status status;
    if (frame->stage.op) status = frame->stage.op->checkpoint_completed(checkpoint_id);
    if (frame->stage.sink) status = frame->stage.sink->checkpoint_completed(checkpoint_id);
    if (!status) return std::unexpected(fail(*frame, std::move(status).error()));
  }
  return {};
}

Status ChainDriver::close() {
  for (const auto& frame : frames_) {
    if (!frame->stage.sink) continue;
    if (Status status = frame->stage.sink->close(); !status) {
      return std::unexpected(fail(*frame, std::move(status).error()));
    }
  }
  return {};
}

}  // namespace millrace
