// All channels into one subtask, merged: aligns barriers (a channel that delivered one waits until the others have),
// combines watermarks to the minimum over channels that are neither idle nor ended, and tells when all are idle or
// ended. Channels go on delivering barriers after their end, so a task whose inputs have all ended still takes part.
// Unaligned: overtake() starts the snapshot at once; from then on record() collects what the channels still hold in
// front of their barriers, while next() goes on delivering it. One worker thread.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "runtime/in_flight.h"

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
  /// `together`: a barrier never overtakes what is in the channel.
  void add(ChannelInput* channel, uint32_t input, uint64_t producer = 0, const ChannelKey& key = {},
           bool together = false);
  /// Elements that come before all others of their channel. Before the first next().
  void restore(std::vector<ChannelRows> rows);

  /// False: nothing to read now.
  bool next(GateEvent& event);
  [[nodiscard]] bool ended() const { return reported_end_; }
  [[nodiscard]] bool aligning() const;

  /// The snapshot of the checkpoint may be taken now, wherever its barriers are.
  [[nodiscard]] bool may_overtake(int64_t checkpoint) const;
  /// The snapshot is taken: what the channels hold in front of its barriers belongs to it. Nothing when next()
  /// delivered the barrier.
  void begin_snapshot(int64_t checkpoint);
  /// Looks at what has arrived; true when all that belongs to the snapshot is known.
  bool record();
  /// What record() found.
  [[nodiscard]] std::vector<ChannelRows> take_recorded() { return std::move(recorded_); }

  [[nodiscard]] double usage() const;

 private:
  struct Input {
    ChannelInput* channel = nullptr;
    uint32_t input = 0;
    int64_t watermark = kWatermarkMin;
    int64_t barrier = 0;  // the last one delivered
    uint64_t producer = 0;
    int64_t steps = 0;  // everything but rows and barriers; of one producer all channels come to the same number
    std::vector<uint32_t> siblings;  // other channels of the producer
    bool idle = false;
    bool ended = false;
    // Unaligned snapshots.
    ChannelKey key;
    bool together = false;
    std::deque<Element> restored;  // before all elements of the channel
    bool carried = false;          // status is of the snapshot: the producer starts anew
    uint64_t taken = 0;            // elements of the channel
    OvertakingBarrier lane;
    bool recording = false;
    size_t scanned = 0;  // elements waiting in the channel that were recorded
    size_t record = 0;   // its place in recorded_
  };
  [[nodiscard]] bool waits(const Input& input) const;
  static void forget_idle(Input& from);
  static Element* front(Input& from);
  Element pop(Input& from);
  bool at_lane_barrier(Input& from);
  bool record_next(Input& from);
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
  bool restored_ = false;  // and nothing read yet
  int64_t newest_ = 0;     // checkpoint known to be under way: older ones were aborted
  std::vector<ChannelRows> recorded_;
};

}  // namespace millrace
