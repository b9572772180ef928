#include "state/blob_pool.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstring>
#include <deque>
#include <mutex>

#include "core/status.h"

namespace millrace {

std::string_view BlobRef::view() const {
  if (block == nullptr) return {};
  uint32_t size = 0;
  std::memcpy(&size, block, sizeof size);
  return {block + sizeof size, size};
}

namespace {

// Blocks of a few sizes cut from chunks; larger ones get memory of their own. All memory goes with the pool, so whoever
// drops a whole table need not walk it.
class BlobMemory {
 public:
  BlobMemory() = default;
  ~BlobMemory() {
    for (Large* large = large_; large != nullptr;) delete[] reinterpret_cast<char*>(std::exchange(large, large->next));
  }
  BlobMemory(const BlobMemory&) = delete;
  BlobMemory& operator=(const BlobMemory&) = delete;

  char* allocate(size_t bytes) {
    if (bytes > kBlockBytesMax) return allocate_large(bytes);
    const size_t index = class_of(bytes);
    if (Free* head = free_[index]; head != nullptr) {
      free_[index] = head->next;
      return reinterpret_cast<char*>(head);
    }
    const size_t size = class_bytes(index);
    if (left_ < size) {
      chunks_.push_back(std::make_unique_for_overwrite<char[]>(kChunkBytes));
      at_ = chunks_.back().get();
      left_ = kChunkBytes;
    }
    left_ -= size;
    return std::exchange(at_, at_ + size);
  }

  void free(char* block, size_t bytes) {
    if (bytes > kBlockBytesMax) return free_large(block);
    const size_t index = class_of(bytes);
    auto* head = reinterpret_cast<Free*>(block);
    head->next = free_[index];
    free_[index] = head;
  }

 private:
  struct Free {
    Free* next;
  };
  struct alignas(16) Large {
    Large* previous;
    Large* next;
  };

  // 16, 32, 48, 64, then four steps per doubling.
  static size_t class_of(size_t bytes) {
    if (bytes <= 64) return (std::max<size_t>(bytes, 1) - 1) / 16;
    const auto width = static_cast<size_t>(std::bit_width(bytes - 1));  // 7 for 65..128
    return 4 + (width - 7) * 4 + (((bytes - 1) >> (width - 3)) & 3);
  }
  static size_t class_bytes(size_t index) {
    if (index < 4) return (index + 1) * 16;
    const size_t doubling = (index - 4) / 4;
    return (size_t{64} << doubling) + ((index - 4) % 4 + 1) * (size_t{16} << doubling);
  }

  char* allocate_large(size_t bytes) {
    auto* large = reinterpret_cast<Large*>(new char[sizeof(Large) + bytes]);
    large->previous = nullptr;
    large->next = large_;
    if (large_ != nullptr) large_->previous = large;
    large_ = large;
    return reinterpret_cast<char*>(large + 1);
  }
  void free_large(char* block) {
    Large* large = reinterpret_cast<Large*>(block) - 1;
    (large->previous != nullptr ? large->previous->next : large_) = large->next;
    if (large->next != nullptr) large->next->previous = large->previous;
    delete[] reinterpret_cast<char*>(large);
  }

  static constexpr size_t kBlockBytesMax = 2048;
  static constexpr size_t kClasses = 24;  // class_of(2048) + 1
  static constexpr size_t kChunkBytes = 32 * 1024;
  Free* free_[kClasses] = {};
  std::vector<std::unique_ptr<char[]>> chunks_;
  char* at_ = nullptr;
  size_t left_ = 0;
  Large* large_ = nullptr;
};

}  // namespace

struct BlobPool::Impl {
  struct Freed {
    char* block;
    uint64_t newest_view;  // views up to this one may still read it
  };

  // Shared with closing views.
  std::mutex mutex;
  std::vector<uint64_t> open;           // ascending
  std::atomic<uint64_t> oldest{kNone};  // of `open`
  // The worker's.
  BlobMemory memory;
  uint64_t next_view = 1;
  std::deque<Freed> freed;
  std::atomic<size_t> bytes{0};

  static constexpr uint64_t kNone = ~uint64_t{0};

  uint64_t open_view() {
    const std::lock_guard lock(mutex);
    open.push_back(next_view);
    oldest.store(open.front(), std::memory_order_release);
    return next_view++;
  }

  void close_view(uint64_t view) {
    const std::lock_guard lock(mutex);
    std::erase(open, view);
    oldest.store(open.empty() ? kNone : open.front(), std::memory_order_release);
  }

  void free_block(char* block) {
    const size_t size = sizeof(uint32_t) + BlobRef{block}.view().size();
    bytes.store(bytes.load(std::memory_order_relaxed) - size, std::memory_order_relaxed);
    memory.free(block, size);
  }

  void free_unpinned(uint64_t oldest_open) {
    while (!freed.empty() && freed.front().newest_view < oldest_open) {
      free_block(freed.front().block);
      freed.pop_front();
    }
  }
};

BlobPool::BlobPool() : impl_(std::make_shared<Impl>()) {}
BlobPool::~BlobPool() = default;

BlobRef BlobPool::add(std::string_view bytes) {
  MR_CHECK(bytes.size() <= UINT32_MAX - sizeof(uint32_t), "a blob of more than 4 GiB");
  const auto size = static_cast<uint32_t>(bytes.size());
  char* block = impl_->memory.allocate(sizeof size + size);
  std::memcpy(block, &size, sizeof size);
  if (size != 0) std::memcpy(block + sizeof size, bytes.data(), size);
  // Only the worker writes; others read a statistic.
  impl_->bytes.store(impl_->bytes.load(std::memory_order_relaxed) + sizeof size + size, std::memory_order_relaxed);
  return {block};
}

void BlobPool::release(BlobRef blob) {
  if (blob.empty()) return;
  auto* block = const_cast<char*>(blob.block);
  const uint64_t oldest = impl_->oldest.load(std::memory_order_acquire);
  impl_->free_unpinned(oldest);
  if (oldest == Impl::kNone) {
    impl_->free_block(block);
  } else {
    impl_->freed.push_back({block, impl_->next_view - 1});
  }
}

uint64_t BlobPool::open_view() { return impl_->open_view(); }
void BlobPool::close_view(uint64_t view) { impl_->close_view(view); }

std::shared_ptr<void> BlobPool::pin() {
  const uint64_t view = impl_->open_view();
  return {nullptr, [impl = impl_, view](void*) { impl->close_view(view); }};
}

size_t BlobPool::bytes() const { return impl_->bytes.load(std::memory_order_relaxed); }

}  // namespace millrace
