// The panes of a windowed step: one table per pane, so that expiry frees a table instead of scanning. Each pane has a
// blob pool of its own, freed with it. Snapshots freeze all panes; the part keeps a pane alive until it is written.
#pragma once

#include <map>
#include <memory>

#include "runtime/operators/aggregate_row.h"
#include "runtime/spi/operator.h"
#include "state/keyed_table.h"

namespace millrace {

struct Slice {
  explicit Slice(uint32_t value_bytes) : table(value_bytes, blobs) {}
  BlobPool blobs;
  KeyedTable table;
};
using SlicePtr = std::shared_ptr<Slice>;

class SliceStore {
 public:
  explicit SliceStore(std::shared_ptr<AggregateRow> aggregates) : aggregates_(std::move(aggregates)) {}

  Slice& open_slice(int64_t start);
  [[nodiscard]] Slice* find(int64_t start) const;
  [[nodiscard]] const std::map<int64_t, SlicePtr>& slices() const { return slices_; }
  void erase(int64_t start) { slices_.erase(start); }
  SlicePtr make_slice() const { return std::make_shared<Slice>(aggregates_->bytes()); }

  /// Copies accumulators of `from` into `into`, adding to those that are there.
  void merge(const Slice& from, Slice& into);

  /// Rows: key = pane start (8 bytes little endian) + the encoded key, value = the saved accumulators.
  SnapshotPartPtr snapshot(const StateDescriptor& state, uint32_t max_parallelism);
  Status restore(const StateDescriptor& state, const OperatorContext& context);

  [[nodiscard]] size_t rows() const;
  [[nodiscard]] size_t bytes() const;

 private:
  std::shared_ptr<AggregateRow> aggregates_;
  std::map<int64_t, SlicePtr> slices_;
};

}  // namespace millrace
