// Immutable variable-length pieces of state rows: text of MIN/MAX/FIRST_VALUE, long keys, lists. A blob is replaced,
// never changed, so a snapshot view that still points to it stays right: freed blobs wait until no view is open. One
// worker thread allocates and releases; views read from other threads.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace millrace {

/// 8 bytes inside a state row; zero = none.
struct BlobRef {
  const char* block = nullptr;  // u32 size, then the bytes

  [[nodiscard]] bool empty() const { return block == nullptr; }
  [[nodiscard]] std::string_view view() const;
};

class BlobPool {
 public:
  BlobPool();
  ~BlobPool();
  BlobPool(const BlobPool&) = delete;
  BlobPool& operator=(const BlobPool&) = delete;

  BlobRef add(std::string_view bytes);
  /// Gives a blob back; kept until the views open now are closed.
  void release(BlobRef blob);
  /// Views pin every blob alive at this moment. open_view on the worker; close_view on any thread.
  uint64_t open_view();
  void close_view(uint64_t view);
  /// A view that closes itself with the last copy of the token and keeps the memory even when the pool is gone by then.
  std::shared_ptr<void> pin();
  [[nodiscard]] size_t bytes() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace millrace
