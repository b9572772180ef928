// `validate --connect` for Kafka: do the brokers answer, do the topics exist. Waits up to five seconds; any thread.
#pragma once

#include "core/status.h"
#include "plan/registry.h"

namespace millrace {

/// kUnreachable: no broker answered; kMissingTopic: names the topics that do not exist.
Status try_kafka_source(const OptionValues& values);
Status try_kafka_sink(const OptionValues& values);

}  // namespace millrace
