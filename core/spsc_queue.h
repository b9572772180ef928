// Single-producer single-consumer ring of fixed capacity. push and pop never lock or allocate.
#pragma once

#include <atomic>
#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

namespace millrace {

template <class T>
class SpscQueue {
 public:
  /// Holds up to `capacity` entries (rounded up to a power of two).
  explicit SpscQueue(size_t capacity) {
    size_t size = 1;
    while (size < capacity) size *= 2;
    slots_.resize(size);
  }

  /// False (and `value` untouched) when full.
  bool push(T& value) {
    const size_t tail = tail_.load(std::memory_order_relaxed);
    if (tail - head_.load(std::memory_order_acquire) == slots_.size()) return false;
    slots_[tail & (slots_.size() - 1)] = std::move(value);
    tail_.store(tail + 1, std::memory_order_release);
    return true;
  }
  std::optional<T> pop() {
    const size_t head = head_.load(std::memory_order_relaxed);
    if (head == tail_.load(std::memory_order_acquire)) return std::nullopt;
    std::optional<T> value(std::move(slots_[head & (slots_.size() - 1)]));
    slots_[head & (slots_.size() - 1)] = T{};
    head_.store(head + 1, std::memory_order_release);
    return value;
  }
  /// The consumer's view of the next entry; nullptr when empty.
  T* front() {
    const size_t head = head_.load(std::memory_order_relaxed);
    if (head == tail_.load(std::memory_order_acquire)) return nullptr;
    return &slots_[head & (slots_.size() - 1)];
  }
  /// The consumer's view of the entry behind `index` others; nullptr when there are not so many.
  T* peek(size_t index) {
    const size_t at = head_.load(std::memory_order_relaxed) + index;
    if (static_cast<std::ptrdiff_t>(tail_.load(std::memory_order_acquire) - at) <= 0) return nullptr;
    return &slots_[at & (slots_.size() - 1)];
  }
  [[nodiscard]] size_t size() const {
    return tail_.load(std::memory_order_acquire) - head_.load(std::memory_order_acquire);
  }
  [[nodiscard]] size_t capacity() const { return slots_.size(); }

 private:
  std::vector<T> slots_;
  alignas(64) std::atomic<size_t> head_{0};
  alignas(64) std::atomic<size_t> tail_{0};
};

}  // namespace millrace
