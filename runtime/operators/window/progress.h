// How far a windowed step has come: the last watermark that fired windows, and the arrival counter. Kept in snapshots
// so that a restored step knows which windows have fired. At an aligned barrier all subtasks have seen the same
// watermark, so after a rescale every subtask may read all rows.
#pragma once

#include "core/bytes.h"
#include "runtime/spi/operator.h"

namespace millrace {

SnapshotPartPtr snapshot_progress(const StateDescriptor& state, uint32_t subtask, int64_t watermark, uint64_t arrival);
/// Raises both to the greatest that was saved.
Status restore_progress(const StateDescriptor& state, const OperatorContext& context, int64_t& watermark,
                        uint64_t& arrival);

}  // namespace millrace
