// Which partitions a subtask reads, and where each starts and stops. No enumerator: every subtask computes the owner of
// every partition alike. Positions are resolved once, at first sight, and live in checkpoints from then on.
// Pure apart from the client's (blocking) questions; the control thread calls it.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "connectors/kafka/client.h"
#include "connectors/kafka/options.h"

namespace millrace {

/// (hash(topic) + partition) mod parallelism.
uint32_t kafka_split_owner(const KafkaPartition& partition, uint32_t parallelism);

struct KafkaSplitStart {
  KafkaPartition partition;
  int64_t start = -1;  // -1: the split is known (restored) and only its stop is new
  int64_t stop = -1;   // -1: never
};

/// What a subtask knows of the source's partitions.
struct KafkaKnown {
  uint32_t subtask = 0;
  uint32_t parallelism = 1;
  std::set<KafkaPartition> partitions;      // handed to some reader, by a checkpoint or by this process
  std::set<std::string> topics;             // that have at least one of them
  std::vector<KafkaPartition> stop_wanted;  // own restored splits of a bounded run that have no stop yet
  bool first = true;                        // no discovery was completed by this process
};

/// New splits of this subtask; `known` is brought up to date on success only.
Result<std::vector<KafkaSplitStart>> discover_kafka_splits(KafkaConsumerClient& client,
                                                           const KafkaSourceOptions& options, KafkaKnown& known,
                                                           int timeout_ms);

}  // namespace millrace
