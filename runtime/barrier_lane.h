// The way past a full channel: beside its elements a channel has room for the newest barrier that overtook them, with
// the number of elements that came before it. The consumer takes its snapshot without having handled those and makes
// them part of it (`settings.checkpoint.unaligned_after`). Only the newest is kept, as only one checkpoint is in
// flight: an older one was aborted. One producer, one consumer; a look at an unchanged lane is one load.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>

namespace millrace {

struct OvertakingBarrier {
  int64_t checkpoint = 0;
  uint64_t position = 0;  // elements that the channel had taken before
};

class BarrierLane {
 public:
  void set(const OvertakingBarrier& barrier) {
    const std::lock_guard lock(mutex_);
    barrier_ = barrier;
    newest_.store(barrier.checkpoint, std::memory_order_release);
  }
  /// Replaces `known` when there is a newer one.
  bool look(OvertakingBarrier& known) const {
    if (newest_.load(std::memory_order_acquire) <= known.checkpoint) return false;
    const std::lock_guard lock(mutex_);
    known = barrier_;
    return true;
  }

 private:
  std::atomic<int64_t> newest_{0};
  mutable std::mutex mutex_;
  OvertakingBarrier barrier_;
};

}  // namespace millrace
