// All channels into one subtask, merged: aligns barriers (a channel that delivered one waits until the others have),
// combines watermarks to the minimum over channels that are neither idle nor ended, and tells when all are idle or
// ended. Channels go on delivering barriers after their end, so a task whose inputs have all ended still takes part.
// One worker thread.
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/channel.h"

namespace millrace {

struct GateEvent {
  ElementKind kind = ElementKind::kBatch;
  uint32_t input = 0;  // kBatch: input number of the step
  int64_t value = 0;   // kWatermark: the combined one; kBarrier: the checkpoint all channels have reached
  bool final = false;  // kBarrier
  Batch batch;
};

class InputGate {
 public:
  /// Without alignment (checkpoints `at_least_once`) channels go on behind their barrier.
  explicit InputGate(bool align = true) : align_(align) {}
  /// Channels of one producer have the same `producer` (0: of nobody else): they carry the same watermarks and barriers
  /// and are read in step, so that a row is met by the watermark that its producer sent before it, whatever the
  /// channel.
  void add(ChannelInput* channel, uint32_t input, uint64_t producer = 0);

  /// False: nothing to read now.
  bool next(GateEvent& event);
  [[nodiscard]] bool ended() const { return reported_end_; }
  [[nodiscard]] bool aligning() const;
  [[nodiscard]] double usage() const;

 private:
  struct Input {
    ChannelInput* channel = nullptr;
    uint32_t input = 0;
    int64_t watermark = kWatermarkMin;
    int64_t barrier = 0;  // the last one delivered
    uint64_t producer = 0;
    uint64_t steps = 0;              // everything but rows
    std::vector<uint32_t> siblings;  // other channels of the producer
    bool idle = false;
    bool ended = false;
  };
  [[nodiscard]] bool waits(const Input& input) const;
  bool take(Input& from, GateEvent& event);
  bool status_changed(GateEvent& event);
  bool barrier_reached(GateEvent& event);

  bool align_;
  std::vector<Input> inputs_;
  size_t next_ = 0;
  int64_t watermark_ = kWatermarkMin;
  int64_t completed_ = 0;  // the last checkpoint reported
  int64_t final_ = 0;
  bool idle_ = false;
  bool reported_end_ = false;
};

}  // namespace millrace
