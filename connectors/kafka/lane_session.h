// One producer session of a lane: init_transactions, the marker, one transaction, gone. A session of its own per
// transaction because in Kafka's transaction protocol v1 a delayed commit can hit a later transaction of the same
// session (KAFKA-17754), and because a new session also fences the rightful owner when a frozen process wakes up.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "connectors/kafka/options.h"
#include "connectors/kafka/progress_topic.h"
#include "runtime/spi/exactly_once.h"

namespace millrace {

/// Milliseconds of a session's phases, for measuring.
struct KafkaLaneTimes {
  double create = 0;
  double init = 0;
  double marker = 0;
  double produce = 0;
  double commit = 0;
};

struct KafkaLaneConfig {
  const KafkaSinkOptions* options = nullptr;
  KafkaProgressTopic* progress = nullptr;
  const std::atomic<bool>* stopping = nullptr;
  LaneId lane;
  KafkaLaneTimes* times = nullptr;  // may be null
};

Result<std::unique_ptr<LaneSession>> open_kafka_session(const KafkaLaneConfig& config);

}  // namespace millrace
