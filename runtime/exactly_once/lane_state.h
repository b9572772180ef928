// What a checkpoint knows of a lane: the marker last known, and the entries (segments) that were not yet acknowledged.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/status.h"
#include "plan/state_schema.h"
#include "runtime/exactly_once/segment.h"
#include "state/protocol/commit_decision.h"

namespace millrace {

struct SegmentEntry {
  int64_t epoch = 0;
  std::string file;  // relative to the job's directory
  uint64_t bytes = 0;
  uint64_t rows = 0;
  std::string target;
  std::vector<SegmentPart> parts;
};

struct LaneEntry {
  SegmentEntry data;
  std::shared_ptr<SegmentFile> unsealed;  // null: restored, durable already
};

struct LaneState {
  uint32_t lane = 0;
  std::optional<EpochPart> remembered;
  std::deque<std::shared_ptr<const LaneEntry>> entries;  // by epoch
};

std::string encode_lane(const LaneState& lane);
Result<LaneState> decode_lane(uint32_t lane, std::string_view bytes);

}  // namespace millrace
