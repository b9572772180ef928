#include "runtime/operators/window/pane_tree.h"

#include <utility>

namespace millrace {

namespace {

constexpr int64_t kFanOut = 4;
// Without sums every pane is added once for each window that holds it; with them there is something to keep up.
constexpr int64_t kPanesMin = 12;
constexpr int64_t kWindowsPerPaneMin = 4;

}  // namespace

PaneTree::PaneTree(const WindowGeometry& geometry, SliceStore& store) : geometry_(geometry), store_(store) {
  const int64_t pane = geometry.pane_ms();
  if (geometry.size_ms() / pane < kPanesMin || geometry.size_ms() / geometry.slide_ms() < kWindowsPerPaneMin) return;
  for (int64_t width = pane; width <= geometry.size_ms() / kFanOut;) {
    width *= kFanOut;
    levels_.push_back({width, {}, {}});
  }
}

bool PaneTree::has_panes(int64_t start, int64_t end) const {
  const auto first = store_.slices().lower_bound(start);
  return first != store_.slices().end() && first->first < end;
}

/// Puts the sum of parts[first, ..) in their place and keeps it in `sum`, if it is worth a table.
void PaneTree::replace_by_sum(size_t first, SlicePtr& sum, std::vector<SlicePtr>& parts) {
  constexpr size_t kPartsMax = 2 * kFanOut;  // more of them: some of their own sums were not worth it
  if (parts.size() - first < 2 || parts.size() - first > kPartsMax) return;
  SlicePtr made = store_.make_slice();
  size_t rows = 0;
  for (size_t i = first; i < parts.size(); ++i) {
    rows += parts[i]->table.size();
    store_.merge(*parts[i], *made);
  }
  if (made->table.size() * 4 > rows * 3) return;
  parts.resize(first);
  parts.push_back(made);
  sum = std::move(made);
}

void PaneTree::collect_block(size_t level, int64_t start, bool build, std::vector<SlicePtr>& parts) {
  if (level == 0) {
    const auto pane = store_.slices().find(start);
    if (pane != store_.slices().end()) parts.push_back(pane->second);
    return;
  }
  Level& own = levels_[level - 1];
  const auto known = own.blocks.find(start);
  if (known != own.blocks.end() && known->second) {
    parts.push_back(known->second);
    return;
  }
  if (!has_panes(start, start + own.width)) return;
  const size_t first = parts.size();
  collect_blocks(level - 1, start, start + own.width, build, parts);
  if (build && known == own.blocks.end()) replace_by_sum(first, own.blocks[start], parts);
}

void PaneTree::collect_blocks(size_t level, int64_t start, int64_t end, bool build, std::vector<SlicePtr>& parts) {
  for (int64_t at = start; at < end; at += width_of(level)) collect_block(level, at, build, parts);
}

/// Blocks of this level up to where wider ones begin, the run of those, and blocks of this level again.
void PaneTree::collect_range(size_t level, int64_t start, int64_t end, bool build, std::vector<SlicePtr>& parts) {
  if (level == levels_.size()) return collect_blocks(level, start, end, build, parts);
  const int64_t wide = width_of(level + 1);
  const int64_t from = geometry_.align(start + wide - 1, wide);
  const int64_t to = geometry_.align(end, wide);
  if (from >= to) return collect_blocks(level, start, end, build, parts);
  collect_blocks(level, start, from, build, parts);
  collect_run(level + 1, from, to, build, parts);
  collect_blocks(level, to, end, build, parts);
}

void PaneTree::collect_run(size_t level, int64_t start, int64_t end, bool build, std::vector<SlicePtr>& parts) {
  Run& run = levels_[level - 1].run;
  const bool known = run.start == start && run.end == end;
  if (known && run.sum) {
    parts.push_back(run.sum);
    return;
  }
  const size_t first = parts.size();
  collect_range(level, start, end, build, parts);
  if (!build || known) return;
  run = {start, end, nullptr};
  replace_by_sum(first, run.sum, parts);
}

void PaneTree::parts_of(int64_t start, int64_t end, std::vector<SlicePtr>& parts) {
  collect_range(0, start, end, true, parts);
}

void PaneTree::known_parts_of(int64_t start, int64_t end, std::vector<SlicePtr>& parts) {
  collect_range(0, start, end, false, parts);
}

void PaneTree::sums_of(int64_t pane, std::vector<Slice*>& sums) const {
  for (const Level& level : levels_) {
    const auto found = level.blocks.find(geometry_.align(pane, level.width));
    if (found != level.blocks.end() && found->second) sums.push_back(found->second.get());
    if (level.run.sum && level.run.start <= pane && pane < level.run.end) sums.push_back(level.run.sum.get());
  }
}

void PaneTree::expire(int64_t time) {
  for (Level& level : levels_) {
    while (!level.blocks.empty() && geometry_.last_end(level.blocks.begin()->first) - 1 <= time) {
      level.blocks.erase(level.blocks.begin());
    }
    if (level.run.sum && geometry_.last_end(level.run.start) - 1 <= time) level.run = {};
  }
}

size_t PaneTree::bytes() const {
  size_t bytes = 0;
  for (const Level& level : levels_) {
    for (const auto& [start, block] : level.blocks) {
      if (block) bytes += block->table.bytes() + block->blobs.bytes();
    }
    if (level.run.sum) bytes += level.run.sum->table.bytes() + level.run.sum->blobs.bytes();
  }
  return bytes;
}

}  // namespace millrace
