#include "runtime/channel.h"

#include <algorithm>

namespace millrace {

namespace {
constexpr size_t kElementOverhead = 64;  // so that a flood of watermarks is bounded as well
}

Channel::Channel(size_t bytes_max, size_t entries_max) : queue_(entries_max), bytes_max_(bytes_max) {}

void Channel::connect(Waker* producer, Waker* consumer) {
  producer_ = producer == consumer ? nullptr : producer;
  consumer_ = producer == consumer ? nullptr : consumer;
}

bool Channel::push(Element& element) {
  const size_t bytes = element.bytes;
  const size_t held = bytes_.load(std::memory_order_seq_cst);
  if (held != 0 && held + bytes > bytes_max_) return false;
  // The count is raised first: the consumer subtracts as soon as it sees the element.
  bytes_.fetch_add(bytes, std::memory_order_relaxed);
  if (queue_.push(element)) return true;
  bytes_.fetch_sub(bytes, std::memory_order_relaxed);
  return false;
}

bool Channel::offer(Element& element) {
  element.bytes = kElementOverhead + (element.kind == ElementKind::kBatch ? element.batch.bytes() : 0);
  if (!push(element)) {
    // Announce the wait, then look again: a pop between the two would otherwise be missed. In the one order of the
    // sequentially consistent operations either the consumer's look at the flag comes behind this, or its subtraction
    // of bytes comes before the look in push().
    producer_waits_.store(true, std::memory_order_seq_cst);
    if (!push(element)) return false;
    producer_waits_.store(false, std::memory_order_relaxed);
  }
  ++taken_;
  if (consumer_ != nullptr) consumer_->notify();
  return true;
}

bool Channel::overtake(int64_t checkpoint) {
  lane_.set({checkpoint, taken_});
  if (consumer_ != nullptr) consumer_->notify();
  return true;
}

Element Channel::pop() {
  Element element = std::move(*queue_.pop());
  bytes_.fetch_sub(element.bytes, std::memory_order_seq_cst);
  if (producer_waits_.load(std::memory_order_seq_cst) && producer_waits_.exchange(false) && producer_ != nullptr) {
    producer_->notify();
  }
  return element;
}

double Channel::usage() const {
  const double bytes = static_cast<double>(this->bytes()) / static_cast<double>(bytes_max_);
  const double slots = static_cast<double>(queue_.size()) / static_cast<double>(queue_.capacity());
  return std::min(1.0, std::max(bytes, slots));
}

}  // namespace millrace
