// The progress topic of a sink: one partition per lane, compacted, holding commit markers. Made and grown by us.
// Committer threads, one call at a time per object.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "connectors/kafka/client.h"
#include "connectors/kafka/rd_guards.h"
#include "state/protocol/commit_decision.h"

namespace millrace {

class KafkaProgressTopic {
 public:
  KafkaProgressTopic(KafkaSettings connection, std::string topic)
      : connection_(std::move(connection)), topic_(std::move(topic)) {}

  [[nodiscard]] const std::string& name() const { return topic_; }
  /// Makes the topic, or gives it more partitions. kConnectorOption: it is there with another cleanup.policy.
  Status ensure(uint32_t lanes);
  /// Number of its partitions; 0: it is not there.
  Result<uint32_t> lanes();
  /// The last marker of the lane that is committed. REQUIRES: the lane's transactions are settled (init_transactions).
  /// `key`: of the lane's markers.
  Result<std::optional<CommitMarker>> read(uint32_t lane, const std::string& key);
  /// The partition of a lane: its own, because a transaction that is open in it hides every later marker.
  static int32_t partition_of(uint32_t lane);
  /// The largest record that `topic` takes; kMissingTopic when there is none.
  Result<int64_t> max_message_bytes(const std::string& topic);

 private:
  Result<RdHandle> open(bool consumer);
  Status create(uint32_t lanes);
  Status grow(uint32_t lanes);
  Status await_partitions(uint32_t lanes);
  Result<int32_t> partition_count();
  Result<std::string> topic_setting(const std::string& topic, const std::string& setting);
  Result<std::optional<CommitMarker>> read_from(rd_kafka_s* consumer, int32_t partition, const std::string& key,
                                                int64_t begin, int64_t end);

  const KafkaSettings connection_;
  const std::string topic_;
  std::mutex mutex_;
  RdHandle client_;    // admin requests
  RdHandle consumer_;  // kept between reads: a fresh one may need a second for its first fetch
  uint32_t ensured_ = 0;
};

}  // namespace millrace
