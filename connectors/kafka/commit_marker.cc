#include "connectors/kafka/commit_marker.h"

#include <fmt/format.h>

#include <charconv>
#include <nlohmann/json.hpp>

namespace millrace {

std::string encode_kafka_marker(const CommitMarker& marker) {
  nlohmann::ordered_json json;
  json["generation"] = marker.generation;
  json["incarnation"] = fmt::format("{:016x}", marker.incarnation);  // beyond what JavaScript's numbers hold
  json["epoch"] = marker.epoch;
  json["part"] = marker.part;
  json["parts"] = marker.parts;
  json["rows"] = marker.rows;
  json["crc32c"] = marker.crc;
  return json.dump();
}

Result<CommitMarker> decode_kafka_marker(std::string_view value) {
  try {
    const auto json = nlohmann::json::parse(value);
    CommitMarker marker;
    marker.generation = json.at("generation").get<int64_t>();
    const auto hex = json.at("incarnation").get<std::string>();
    (void)std::from_chars(hex.data(), hex.data() + hex.size(), marker.incarnation, 16);
    marker.epoch = json.at("epoch").get<int64_t>();
    marker.part = json.at("part").get<uint32_t>();
    marker.parts = json.at("parts").get<uint32_t>();
    marker.rows = json.at("rows").get<uint64_t>();
    marker.crc = json.at("crc32c").get<uint32_t>();
    return marker;
  } catch (const std::exception& exception) {
    return make_error(ErrorCode::kCorruptState, std::string("a commit marker cannot be read: ") + exception.what(),
                      "something else writes into the progress topic");
  }
}

}  // namespace millrace
