// Rows on their way between two subtasks as part of a snapshot: what a barrier overtook in the queue of a channel (the
// consumer's part) or in the outbox before it (the producer's part, which follows). It is written under the consumer's
// step, one state per edge, and fits only the same edge between as many subtasks as before: the subtasks of a step had
// not seen the same watermark then, so their state cannot be dealt out anew before those rows have been handled.
#pragma once

#include <cstdint>
#include <map>
#include <string_view>
#include <vector>

#include "plan/physical_plan.h"
#include "runtime/channel.h"
#include "state/in_flight_state.h"

namespace millrace {

/// What the elements behind a point of a channel are met by.
struct ChannelStatus {
  int64_t watermark = kWatermarkMin;
  bool idle = false;
  void passed(const Element& element) {
    if (element.kind == ElementKind::kWatermark && element.value > watermark) watermark = element.value;
    if (element.kind == ElementKind::kIdle || element.kind == ElementKind::kActive) {
      idle = element.kind == ElementKind::kIdle;
    }
  }
};

struct ChannelRows {
  ChannelKey key;
  bool queued = false;   // by the producer, behind those in the channel
  ChannelStatus status;  // before the first element
  std::vector<Element> elements;
};

/// Every subtask must have taken the same rows of a broadcast edge at the barrier: one copy of them is kept.
inline bool may_be_overtaken(Partitioning partitioning) { return partitioning != Partitioning::kBroadcast; }

struct InFlightEdge {
  StateDescriptor state;
  SchemaPtr schema;
};
using InFlightEdges = std::map<uint32_t, InFlightEdge>;  // by number in the physical plan

/// The edges into and out of the chain.
InFlightEdges in_flight_edges(const JobGraph& graph, const PhysicalPlan& plan, const Chain& chain);

/// Rows are encoded when the part is written. REQUIRES: every channel's edge is in `edges`.
SnapshotPartPtr in_flight_part(std::vector<ChannelRows> rows, const InFlightEdges& edges);

/// What was on its way to subtask `to` through the edge: one entry per channel, elements in order.
Result<std::vector<ChannelRows>> restored_in_flight(const RestoredState& restored, uint32_t edge,
                                                    const InFlightEdge& described, uint32_t to, uint32_t parallelism);

}  // namespace millrace
