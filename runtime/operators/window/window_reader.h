// Reads a window of which panes have left memory: merges the runs and tables of its panes by key, a batch of keys at a
// time, so that a window larger than memory fires too. Nothing may be added to the panes meanwhile. Task's thread.
#pragma once

#include <memory>
#include <vector>

#include "runtime/operators/window/slice_runs.h"
#include "state/row_order.h"

namespace millrace {

class WindowReader {
 public:
  WindowReader(SliceStore& store, const std::vector<SlicePtr>& parts);

  /// Fills the empty table `into` with up to `count` keys and their accumulators over the whole window; answers how
  /// many. 0: the end.
  Result<size_t> read(size_t count, Slice& into);

 private:
  struct Source {
    std::unique_ptr<SpillCursor> cursor;  // or
    std::unique_ptr<RowOrder> rows;       // of a table
  };
  struct Head {
    uint32_t group;
    std::string_view key;
    size_t source;
    bool operator>(const Head& other) const { return group != other.group ? group > other.group : key > other.key; }
  };
  Status push(size_t source);
  Status add_to(char* into, const Source& source, BlobPool& blobs);

  SliceStore& store_;
  std::vector<Source> sources_;
  std::vector<Head> heads_;  // a heap, the smallest in front
  Status failure_;
};

}  // namespace millrace
