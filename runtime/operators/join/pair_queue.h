// Pairs of rows kept as columns (kept_rows.h) on their way out: tested with `where` many at a time, and handed out in
// batches. Either side of a pair may be absent: NULLs. One object per operator.
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/operators/join/config.h"
#include "runtime/operators/join/kept_rows.h"
#include "runtime/operators/join/projection.h"
#include "runtime/spi/operator.h"

namespace millrace {

struct PairRefs {
  std::vector<KeptRows::Ref> left;
  std::vector<KeptRows::Ref> right;

  void add(KeptRows::Ref left_row, KeptRows::Ref right_row) {
    left.push_back(left_row);
    right.push_back(right_row);
  }
  [[nodiscard]] size_t size() const { return left.size(); }
  void clear() {
    left.clear();
    right.clear();
  }
};

class PairQueue {
 public:
  PairQueue(const JoinConfig& config, JoinProjection projection, const KeptRows& left, const KeptRows& right)
      : config_(config), projection_(std::move(projection)), left_(left), right_(right) {}

  [[nodiscard]] bool has_where() const { return projection_.has_where(); }
  Status test(const PairRefs& pairs, std::vector<uint8_t>& passes);

  /// The rows must not be swept before they are handed out.
  void add(KeptRows::Ref left, KeptRows::Ref right, int64_t event_time) {
    queued_.add(left, right);
    times_.push_back(event_time);
  }
  [[nodiscard]] bool full() const { return queued_.size() - handed_out_ >= kBatchRowsMax; }
  [[nodiscard]] bool empty() const { return queued_.size() == 0; }
  /// Emits one batch, if any pair is queued.
  Status flush(Output& out);

 private:
  Batch combine(const PairRefs& pairs, size_t from, size_t count, const std::vector<uint32_t>& reads) const;

  const JoinConfig& config_;
  JoinProjection projection_;
  const KeptRows& left_;
  const KeptRows& right_;
  PairRefs queued_;
  std::vector<int64_t> times_;
  size_t handed_out_ = 0;
};

}  // namespace millrace
