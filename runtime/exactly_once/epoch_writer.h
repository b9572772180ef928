// The sink writer of every exactly-once target with a marker: rows go into the segment of the current epoch; the
// barrier seals it and puts an entry into the state; the committer publishes entries after their checkpoint completed.
#pragma once

#include <functional>

#include "core/file_system.h"
#include "runtime/exactly_once/lane_committer.h"
#include "runtime/exactly_once/segment.h"
#include "runtime/spi/exactly_once.h"
#include "runtime/spi/sink.h"

namespace millrace {

SinkWriterPtr make_epoch_writer(ExactlyOnceTargetPtr target, FileSystem& fs, SegmentLimits limits = {});

/// For simulations, which run everything in one thread: the committer does a piece of its work when `step` is called,
/// which is alive as long as the writer, and only after open().
struct SteppedEpochWriter {
  SinkWriterPtr writer;
  std::function<LaneCommitter::Step()> step;
};
SteppedEpochWriter make_stepped_epoch_writer(ExactlyOnceTargetPtr target, FileSystem& fs, SegmentLimits limits);

}  // namespace millrace
