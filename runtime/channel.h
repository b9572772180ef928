// The edge between two subtasks: one producer, one consumer, elements in order. Bounded in bytes, and an empty channel
// always takes one entry, so a batch of any size passes. Barriers, watermarks and the end travel in band behind the
// rows before them. A refused producer is woken when the consumer takes something; a consumer is woken by every
// element. Producer calls offer(); consumer calls front() and pop(); each from its own worker thread.
#pragma once

#include <atomic>
#include <compare>
#include <cstddef>
#include <cstdint>

#include "core/spsc_queue.h"
#include "core/waker.h"
#include "data/batch.h"
#include "runtime/barrier_lane.h"

namespace millrace {

enum class ElementKind : uint8_t {
  kBatch,
  kWatermark,
  kBarrier,
  kIdle,  // the producer has nothing that could hold watermarks back; its watermark does not count until kActive
  kActive,
  kEnd,  // no more rows; barriers still follow, so that finished tasks take part in checkpoints
};

struct Element {
  ElementKind kind = ElementKind::kBatch;
  bool final = false;  // kBarrier: the job stops behind it
  int64_t value = 0;   // watermark, or checkpoint id of a barrier
  size_t bytes = 0;    // memory pinned; set by the channel
  Batch batch;
};

/// Names a channel within an attempt; every member derives the same numbers from the plan.
struct ChannelKey {
  uint32_t edge = 0;  // index into PhysicalPlan::edges
  uint32_t from = 0;  // subtask
  uint32_t to = 0;
  auto operator<=>(const ChannelKey&) const = default;
};

/// What a producer sees of a channel, whichever process its consumer runs in.
class ChannelOutput {
 public:
  virtual ~ChannelOutput() = default;
  /// Takes the element, or leaves it untouched and answers false: the producer's waker is notified when there is room.
  /// A refused element is offered again before any other.
  virtual bool offer(Element& element) = 0;
  /// The barrier passes everything that was not taken yet, and is withdrawn if it is itself the refused element. False:
  /// it cannot pass now.
  virtual bool overtake(int64_t checkpoint) = 0;
  /// Fill of the channel between 0 and 1.
  [[nodiscard]] virtual double usage() const = 0;
};

/// What a consumer sees of a channel, whichever process its producer runs in.
class ChannelInput {
 public:
  virtual ~ChannelInput() = default;
  /// The next element, nullptr when there is none.
  virtual Element* front() = 0;
  /// Removes the next element. REQUIRES: front() is not null.
  virtual Element pop() = 0;
  /// The element behind `index` others, nullptr when there are not so many.
  virtual const Element* peek(size_t index) = 0;
  /// Replaces `known` when a newer barrier has overtaken elements of this channel. All elements before it can be seen
  /// by then.
  virtual bool overtaken(OvertakingBarrier& known) const = 0;
  /// Fill of the channel between 0 and 1.
  [[nodiscard]] virtual double usage() const = 0;
};

/// Both ends in one process.
class Channel final : public ChannelOutput, public ChannelInput {
 public:
  static constexpr size_t kDefaultBytes = 1 << 20;

  explicit Channel(size_t bytes_max = kDefaultBytes, size_t entries_max = 256);

  /// The wakers of the two workers; the same waker on both sides needs no notices and gets none.
  void connect(Waker* producer, Waker* consumer);

  bool offer(Element& element) override;
  bool overtake(int64_t checkpoint) override;
  Element* front() override { return queue_.front(); }
  Element pop() override;
  const Element* peek(size_t index) override { return queue_.peek(index); }
  bool overtaken(OvertakingBarrier& known) const override { return lane_.look(known); }

  [[nodiscard]] size_t bytes() const { return bytes_.load(std::memory_order_relaxed); }
  [[nodiscard]] size_t entries() const { return queue_.size(); }
  [[nodiscard]] double usage() const override;

 private:
  bool push(Element& element);

  SpscQueue<Element> queue_;
  BarrierLane lane_;
  uint64_t taken_ = 0;  // the producer's count of elements
  const size_t bytes_max_;
  std::atomic<size_t> bytes_{0};
  std::atomic<bool> producer_waits_{false};
  Waker* producer_ = nullptr;
  Waker* consumer_ = nullptr;
};

}  // namespace millrace
