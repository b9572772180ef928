#include "runtime/operators/window/progress.h"

#include <algorithm>
#include <map>

namespace millrace {

SnapshotPartPtr snapshot_progress(const StateDescriptor& state, uint32_t subtask, int64_t watermark, uint64_t arrival) {
  auto part = std::make_unique<RowsSnapshot>(state);
  ByteWriter value;
  value.put(watermark);
  value.put(arrival);
  part->add(0, std::to_string(subtask), value.take());
  return part;
}

Status restore_progress(const StateDescriptor& state, const OperatorContext& context, int64_t& watermark,
                        uint64_t& arrival) {
  struct Progress {
    int64_t watermark;
    uint64_t arrival;
  };
  std::map<std::string, Progress, std::less<>> saved;
  MR_TRY(context.restored->visit(state, context.key_groups, context.subtask, context.parallelism,
                                 [&](uint32_t /*group*/, std::string_view key, std::string_view value) -> Status {
                                   ByteReader reader(value);
                                   const auto seen = reader.get<int64_t>();
                                   saved[std::string(key)] = {seen, reader.get<uint64_t>()};
                                   if (reader.done()) return {};
                                   return make_error(ErrorCode::kCorruptState, "the window's progress is damaged");
                                 }));
  const std::string own = std::to_string(context.subtask);
  const bool same = saved.size() == context.parallelism && saved.contains(own);
  for (const auto& [subtask, progress] : saved) {
    if (same && subtask != own) continue;
    watermark = std::max(watermark, progress.watermark);
    arrival = std::max(arrival, progress.arrival);
  }
  return {};
}

}  // namespace millrace
