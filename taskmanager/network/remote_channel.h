// The two ends of a channel between task managers. Window: the receiver grants bytes and entries when it opens the
// channel; an element may travel when it fits into what is left of them, or when less than a quarter is in flight (so
// an element of any size passes). The consumer tells back what it took once that is a quarter of the window: less is
// never outstanding unsaid, so the two rules cannot wait for each other. Batches are encoded and decoded on the
// workers' threads; the io thread only moves bytes and must find room, because the window bounds what can arrive. What
// was sent always arrives, so a barrier that overtakes need only be sent ahead of what has no credit yet.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/spsc_queue.h"
#include "core/waker.h"
#include "runtime/channel.h"
#include "taskmanager/network/frame.h"
#include "taskmanager/network/frame_io.h"

namespace millrace {

struct ChannelWindow {
  size_t bytes = 1 << 20;
  uint32_t entries = 256;
};

/// When bodies are compressed.
struct CompressionRule {
  size_t bytes_min = SIZE_MAX;
  bool loopback = false;  // also between processes of one machine
};

/// Called on a worker's thread with why the channel is of no use any more.
using ChannelDamage = std::function<void(const std::string& why)>;

class RemoteOutput final : public ChannelOutput {
 public:
  RemoteOutput(SchemaPtr schema, Waker* producer, CompressionRule compression, ChannelDamage damage)
      : schema_(std::move(schema)), producer_(producer), compression_(compression), damage_(std::move(damage)) {}

  bool offer(Element& element) override;
  bool overtake(int64_t checkpoint) override;
  [[nodiscard]] double usage() const override;

  // Io thread.
  /// False: it was open before.
  bool opened(FrameConnectionPtr connection, uint64_t number, ChannelWindow window);
  void credit(size_t bytes, uint32_t entries);

 private:
  bool send();
  [[nodiscard]] bool has_room(size_t cost) const;
  bool encode(const Element& element);
  void compress(FrameHeader& header, std::string& body) const;

  const SchemaPtr schema_;
  Waker* const producer_;
  const CompressionRule compression_;
  const ChannelDamage damage_;
  // Set before open_.
  FrameConnectionPtr connection_;
  uint64_t number_ = 0;
  ChannelWindow window_;
  std::atomic<bool> open_{false};
  std::atomic<size_t> bytes_{0};  // in flight or not told back
  std::atomic<size_t> entries_{0};
  std::atomic<bool> waits_{false};
  // The producer's.
  std::optional<OutFrame> encoded_;  // of the element that was refused
  ElementKind encoded_kind_ = ElementKind::kBatch;
  size_t cost_ = 0;
  bool broken_ = false;
};

class RemoteInput final : public ChannelInput {
 public:
  RemoteInput(SchemaPtr schema, Waker* consumer, ChannelWindow window, ChannelDamage damage);

  Element* front() override;
  Element pop() override;
  const Element* peek(size_t index) override;
  bool overtaken(OvertakingBarrier& known) const override { return lane_.look(known); }
  [[nodiscard]] double usage() const override;

  // Io thread.
  [[nodiscard]] const ChannelWindow& window() const { return window_; }
  /// Before the first element.
  void connected(FrameConnectionPtr connection, uint64_t number);
  /// False: the sender does not keep to the window.
  bool receive(InFrame frame);

 private:
  Result<Element> decode(const InFrame& frame) const;
  void consumed(size_t cost);

  const SchemaPtr schema_;
  Waker* const consumer_;
  const ChannelWindow window_;
  const ChannelDamage damage_;
  FrameConnectionPtr connection_;
  uint64_t number_ = 0;
  SpscQueue<InFrame> queue_;
  std::atomic<size_t> bytes_{0};
  BarrierLane lane_;
  uint64_t received_ = 0;  // elements; the io thread's
  // The consumer's.
  std::deque<Element> decoded_;  // the queue's first ones
  size_t consumed_bytes_ = 0;    // not told back yet
  uint32_t consumed_entries_ = 0;
  bool broken_ = false;
};

}  // namespace millrace
