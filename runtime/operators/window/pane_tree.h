// Sums of aligned blocks of panes (4, 16, 64, …), so that a window of many panes is the sum of a few tables. A block is
// summed when a fired window first needs it; so is, at each width, the run of blocks within the window, which the next
// windows mostly share. Rows that come to a pane later must be added to the sums that hold it. Sums with nearly as many
// rows as their parts (keys that do not come again) are not kept. Derived from the panes: never part of a snapshot.
// Task's thread.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "runtime/operators/window/geometry.h"
#include "runtime/operators/window/slices.h"

namespace millrace {

class PaneTree {
 public:
  /// Both outlive the tree.
  PaneTree(const WindowGeometry& geometry, SliceStore& store);

  /// False: windows have so few panes, or so few windows share one, that sums would not pay.
  [[nodiscard]] bool used() const { return !levels_.empty(); }
  /// From now on no sums: panes have left memory, and sums of them would be there instead.
  void disable() { levels_.clear(); }

  /// Appends the tables whose sum is the window [start, end), in order of time, summing what is missing. The window has
  /// fired, or is about to.
  void parts_of(int64_t start, int64_t end, std::vector<SlicePtr>& parts);
  /// The same from what is summed already.
  void known_parts_of(int64_t start, int64_t end, std::vector<SlicePtr>& parts);
  /// Appends the sums that hold the pane: what is added to the pane has to be added to them.
  void sums_of(int64_t pane, std::vector<Slice*>& sums) const;
  /// Drops sums with a pane that no window with end - 1 > `time` holds.
  void expire(int64_t time);
  [[nodiscard]] size_t bytes() const;

 private:
  struct Run {
    int64_t start = 0;
    int64_t end = 0;
    SlicePtr sum;  // null: its parts are used
  };
  struct Level {
    int64_t width = 0;                   // ms of event time in a block
    std::map<int64_t, SlicePtr> blocks;  // by start; null: its parts are used
    Run run;                             // of blocks of this width, in the last window
  };
  void collect_block(size_t level, int64_t start, bool build, std::vector<SlicePtr>& parts);
  void collect_blocks(size_t level, int64_t start, int64_t end, bool build, std::vector<SlicePtr>& parts);
  void collect_range(size_t level, int64_t start, int64_t end, bool build, std::vector<SlicePtr>& parts);
  void collect_run(size_t level, int64_t start, int64_t end, bool build, std::vector<SlicePtr>& parts);
  void replace_by_sum(size_t first, SlicePtr& sum, std::vector<SlicePtr>& parts);
  [[nodiscard]] bool has_panes(int64_t start, int64_t end) const;
  [[nodiscard]] int64_t width_of(size_t level) const {
    return level == 0 ? geometry_.pane_ms() : levels_[level - 1].width;
  }

  const WindowGeometry& geometry_;
  SliceStore& store_;
  std::vector<Level> levels_;  // narrow to wide; levels_[i] is level i + 1, panes are level 0
};

}  // namespace millrace
