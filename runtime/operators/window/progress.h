// How far a windowed step has come: the last watermark that fired windows, and the arrival counter. Kept in snapshots
// so that a restored step knows which windows have fired. A checkpoint whose barriers overtook rows holds subtasks that
// have come differently far and is restored with as many of them: each takes its own row. At aligned barriers all have
// seen the same watermark, so after a rescale any row will do.
#pragma once

#include "core/bytes.h"
#include "runtime/spi/operator.h"

namespace millrace {

SnapshotPartPtr snapshot_progress(const StateDescriptor& state, uint32_t subtask, int64_t watermark, uint64_t arrival);
/// Raises both to what was saved of this subtask, or to the greatest when there were more or fewer.
Status restore_progress(const StateDescriptor& state, const OperatorContext& context, int64_t& watermark,
                        uint64_t& arrival);

}  // namespace millrace
