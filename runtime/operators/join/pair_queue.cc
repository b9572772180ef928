#include "runtime/operators/join/pair_queue.h"

#include <algorithm>
#include <span>

namespace millrace {

Batch PairQueue::combine(const PairRefs& pairs, size_t from, size_t count, const std::vector<uint32_t>& reads) const {
  Batch batch;
  batch.rows = static_cast<uint32_t>(count);
  const size_t left_columns = config_.inputs[0]->size();
  batch.columns.resize(left_columns + config_.inputs[1]->size());
  const auto arena = std::make_shared<Arena>();
  for (const uint32_t read : reads) {
    const bool is_left = read < left_columns;
    const size_t own = is_left ? read : read - left_columns;
    auto column = make_column(*config_.inputs[is_left ? 0 : 1]->fields[own].type);
    const std::span<const KeptRows::Ref> refs = is_left ? pairs.left : pairs.right;
    (is_left ? left_ : right_).gather(own, refs.subspan(from, count), *column, *arena);
    batch.columns[read] = std::move(column);
  }
  batch.arenas.push_back(arena);
  return batch;
}

Status PairQueue::test(const PairRefs& pairs, std::vector<uint8_t>& passes) {
  return projection_.test(combine(pairs, 0, pairs.size(), projection_.where_reads()), passes);
}

Status PairQueue::flush(Output& out) {
  const size_t count = std::min<size_t>(queued_.size() - handed_out_, kBatchRowsMax);
  if (count > 0) {
    Batch combined = combine(queued_, handed_out_, count, projection_.select_reads());
    const auto times = times_.begin() + static_cast<std::ptrdiff_t>(handed_out_);
    combined.event_times =
        std::make_shared<const std::vector<int64_t>>(times, times + static_cast<std::ptrdiff_t>(count));
    MR_ASSIGN(Batch result, projection_.project(combined));
    out.emit(0, std::move(result));
    handed_out_ += count;
  }
  if (handed_out_ < queued_.size()) return {};
  queued_.clear();
  times_.clear();
  handed_out_ = 0;
  return {};
}

}  // namespace millrace
