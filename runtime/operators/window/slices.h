// The panes of a windowed step: one table per pane, so that expiry frees a table instead of scanning. Each pane has a
// blob pool of its own, freed with it. Snapshots freeze all panes; the part keeps a pane alive until it is written.
//
// A pane over the memory budget leaves as one sorted run of partial accumulators, and a new table begins: nothing is
// read when a key comes again, its partials meet when a window fires (window_reader.h). So a pane is its table and its
// runs (slice_runs.h).
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <vector>

#include "core/bytes.h"
#include "runtime/operators/aggregate_row.h"
#include "runtime/spi/operator.h"
#include "state/keyed_table.h"

namespace millrace {

struct Slice {
  explicit Slice(uint32_t value_bytes) : table(value_bytes, blobs) {}
  BlobPool blobs;
  KeyedTable table;
  int64_t start = 0;
  uint32_t run = 0;            // number of the run that the table will become
  std::vector<uint32_t> runs;  // those in the store
  bool stored = false;         // the store has rows of the pane, be it only those of a snapshot
  std::shared_ptr<std::atomic<uint16_t>> written = std::make_shared<std::atomic<uint16_t>>(0);  // see BackedRows
};
using SlicePtr = std::shared_ptr<Slice>;

class SliceRuns;

class SliceStore {
 public:
  explicit SliceStore(std::shared_ptr<AggregateRow> aggregates);
  ~SliceStore();
  SliceStore(const SliceStore&) = delete;
  SliceStore& operator=(const SliceStore&) = delete;

  Slice& open_slice(int64_t start);
  [[nodiscard]] Slice* find(int64_t start) const;
  [[nodiscard]] const std::map<int64_t, SlicePtr>& slices() const { return slices_; }
  Status erase(int64_t start);
  /// The pane stays, without rows.
  Status clear(Slice& slice);
  SlicePtr make_slice() const { return std::make_shared<Slice>(aggregates_->bytes()); }

  /// Copies accumulators of `from` into `into`, adding to those that are there.
  void merge(const Slice& from, Slice& into);

  /// Rows: key = pane start (8 bytes little endian) + the encoded key, value = the saved accumulators.
  SnapshotPartPtr snapshot(const StateDescriptor& state, uint32_t max_parallelism);
  /// Restores, and lets panes leave memory from now on where the context has a store.
  Status open(const StateDescriptor& state, const OperatorContext& context);

  /// Where panes are spilled to; null: they are not.
  [[nodiscard]] SliceRuns* runs() const { return runs_.get(); }
  /// Some pane has left memory.
  [[nodiscard]] bool spilled() const;
  AggregateRow& aggregates() { return *aggregates_; }
  [[nodiscard]] const std::shared_ptr<AggregateRow>& shared_aggregates() const { return aggregates_; }
  /// Adds saved accumulators to those of a row.
  Status merge_saved(ByteReader& saved, char* into, BlobPool& blobs);
  /// Puts an emptied table in the pane's place.
  Slice& renew(const Slice& slice);

  /// In memory.
  [[nodiscard]] size_t rows() const;
  [[nodiscard]] size_t bytes() const;

 private:
  Status restore(const StateDescriptor& state, const OperatorContext& context);
  Status add_saved(Slice& slice, std::string_view key, std::string_view value);

  std::shared_ptr<AggregateRow> aggregates_;
  std::map<int64_t, SlicePtr> slices_;
  std::unique_ptr<SliceRuns> runs_;
  std::unique_ptr<char[]> partial_;  // one row, while it is added
  BlobPool partial_blobs_;
};

}  // namespace millrace
