// The progress record of a lane as it lies in Kafka: JSON, so that it can be read with any tool.
#pragma once

#include <string>
#include <string_view>

#include "core/status.h"
#include "state/protocol/commit_decision.h"

namespace millrace {

std::string encode_kafka_marker(const CommitMarker& marker);
Result<CommitMarker> decode_kafka_marker(std::string_view value);

}  // namespace millrace
