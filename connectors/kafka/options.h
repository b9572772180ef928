// The fields of a kafka source and sink: what the job file says, checked and turned into librdkafka's settings.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "connectors/kafka/client.h"
#include "plan/job_graph.h"
#include "plan/registry.h"

namespace millrace {

/// Where to start or stop: a rule, or an offset per partition.
struct KafkaPosition {
  enum class Kind : uint8_t { kNone, kCommitted, kEarliest, kLatest, kTimestamp, kOffsets };
  Kind kind = Kind::kNone;
  int64_t timestamp_ms = 0;
  std::map<KafkaPartition, int64_t> offsets;
};

enum class KafkaLostOffset : uint8_t { kFail, kEarliest, kLatest };

struct KafkaSourceOptions {
  std::vector<std::string> topics;
  std::string group_id;  // "": no group offsets are committed
  KafkaPosition start;
  KafkaPosition stop;  // kNone: unbounded
  KafkaLostOffset on_lost_offset = KafkaLostOffset::kFail;
  int64_t discover_every_ms = 0;  // 0: never
  KafkaSettings settings;
};

struct KafkaSinkOptions {
  std::string topic;
  std::string partitioner;
  bool event_time_stamps = false;
  bool epoch_headers = false;
  std::string transactional_id_prefix;
  std::string progress_topic_prefix;
  KafkaSettings connection;  // brokers and security only
  KafkaSettings settings;
};

ConnectorDescriptor kafka_source_descriptor();
ConnectorDescriptor kafka_sink_descriptor();

/// REQUIRES: values that passed the descriptor's check. `group` is used where the file names no group (librdkafka wants
/// one even where no offset is committed).
/// Fetched records waiting to be read follow from `memory_bytes`, the process's; 0: not known.
KafkaSourceOptions read_kafka_source(const SourceConfig& config, const std::string& group, uint64_t memory_bytes = 0);
/// The value that counts (the last one), or "".
std::string kafka_setting(const KafkaSettings& settings, std::string_view name);
KafkaSinkOptions read_kafka_sink(const OptionValues& values);

}  // namespace millrace
