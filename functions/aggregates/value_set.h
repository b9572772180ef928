// A set of byte strings inside a state row, made of immutable blobs only, so that snapshots can read it while it grows:
// a small unsorted run that is copied on every insertion, and sorted runs of doubling size that are merged like the
// digits of a binary counter. Insertion costs O(log n) amortised, look-up O(log^2 n) worst.
// Zero-filled = empty. The owner thread writes; views read.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "state/blob_pool.h"

namespace millrace {

class ValueSet {
 public:
  /// False when it was there.
  bool insert(uint64_t hash, std::string_view bytes, BlobPool& blobs);
  void visit(const std::function<void(uint64_t hash, std::string_view bytes)>& visitor) const;
  void release(BlobPool& blobs);
  [[nodiscard]] uint64_t size() const { return size_; }

 private:
  [[nodiscard]] bool contains(uint64_t hash, std::string_view bytes) const;
  void spill(BlobPool& blobs);

  uint64_t size_;
  BlobRef small_;   // a run of fewer than kSmallMax values, unsorted
  BlobRef levels_;  // array of BlobRef; levels_[i] is a sorted run or none
};

}  // namespace millrace
