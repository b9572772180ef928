#include "runtime/exactly_once/lane_state.h"

#include "core/bytes.h"

namespace millrace {

std::string encode_lane(const LaneState& lane) {
  ByteWriter out;
  out.put<uint8_t>(lane.remembered ? 1 : 0);
  out.put<int64_t>(lane.remembered ? lane.remembered->epoch : 0);
  out.put<uint32_t>(lane.remembered ? lane.remembered->part : 0);
  out.put_varint(lane.entries.size());
  for (const auto& entry : lane.entries) {
    const SegmentEntry& data = entry->data;
    out.put<int64_t>(data.epoch);
    out.put_string(data.file);
    out.put_varint(data.bytes);
    out.put_varint(data.rows);
    out.put_string(data.target);
    out.put_varint(data.parts.size());
    for (const SegmentPart& part : data.parts) {
      out.put_varint(part.offset);
      out.put_varint(part.bytes);
      out.put_varint(part.rows);
      out.put<uint32_t>(part.crc);
    }
  }
  return out.take();
}

Result<LaneState> decode_lane(uint32_t lane, std::string_view bytes) {
  LaneState state;
  state.lane = lane;
  ByteReader in(bytes);
  const bool remembered = in.get<uint8_t>() != 0;
  EpochPart position;
  position.epoch = in.get<int64_t>();
  position.part = in.get<uint32_t>();
  if (remembered) state.remembered = position;
  for (uint64_t left = in.get_varint(); left > 0 && in.ok(); --left) {
    auto entry = std::make_shared<LaneEntry>();
    SegmentEntry& data = entry->data;
    data.epoch = in.get<int64_t>();
    data.file = std::string(in.get_string());
    data.bytes = in.get_varint();
    data.rows = in.get_varint();
    data.target = std::string(in.get_string());
    for (uint64_t parts = in.get_varint(); parts > 0 && in.ok(); --parts) {
      SegmentPart part;
      part.offset = in.get_varint();
      part.bytes = in.get_varint();
      part.rows = in.get_varint();
      part.crc = in.get<uint32_t>();
      data.parts.push_back(part);
    }
    state.entries.push_back(std::move(entry));
  }
  if (!in.done()) return make_error(ErrorCode::kCorruptState, "the saved entries of a sink's lane cannot be read");
  return state;
}

}  // namespace millrace
