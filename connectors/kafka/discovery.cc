#include "connectors/kafka/discovery.h"

#include "core/hash.h"

namespace millrace {

uint32_t kafka_split_owner(const KafkaPartition& partition, uint32_t parallelism) {
  return static_cast<uint32_t>((hash64(partition.topic) + static_cast<uint64_t>(partition.partition)) % parallelism);
}

namespace {

class Resolver {
 public:
  Resolver(KafkaConsumerClient& client, int timeout_ms) : client_(client), timeout_ms_(timeout_ms) {}

  Result<int64_t> resolve(const KafkaPartition& partition, const KafkaPosition& position, int64_t otherwise) {
    using Kind = KafkaPosition::Kind;
    switch (position.kind) {
      case Kind::kNone:
        return otherwise;
      case Kind::kOffsets: {
        const auto given = position.offsets.find(partition);
        return given == position.offsets.end() ? otherwise : given->second;
      }
      case Kind::kCommitted: {
        MR_ASSIGN(const auto committed, client_.committed({partition}, timeout_ms_));
        return committed.contains(partition) ? committed.at(partition) : otherwise;
      }
      case Kind::kTimestamp: {
        MR_ASSIGN(const std::optional<int64_t> offset,
                  client_.offset_at(partition, position.timestamp_ms, timeout_ms_));
        if (offset) return *offset;
        break;  // nothing that new: the end
      }
      case Kind::kEarliest:
        return otherwise;
      case Kind::kLatest:
        break;
    }
    MR_ASSIGN(const KafkaRange range, client_.range(partition, timeout_ms_));
    return range.end;
  }

 private:
  KafkaConsumerClient& client_;
  int timeout_ms_;
};

}  // namespace

Result<std::vector<KafkaSplitStart>> discover_kafka_splits(KafkaConsumerClient& client,
                                                           const KafkaSourceOptions& options, KafkaKnown& known,
                                                           int timeout_ms) {
  MR_ASSIGN(const std::vector<KafkaPartition> existing, client.partitions(options.topics, timeout_ms));
  const bool bounded = options.stop.kind != KafkaPosition::Kind::kNone;
  Resolver resolver(client, timeout_ms);
  std::vector<KafkaSplitStart> found;
  std::set<KafkaPartition> seen = known.partitions;
  for (const KafkaPartition& partition : existing) {
    if (!seen.insert(partition).second) continue;
    const bool later = !known.first || known.topics.contains(partition.topic);
    if (bounded && later) continue;  // the job ends with the partitions that it began with
    if (kafka_split_owner(partition, known.parallelism) != known.subtask) continue;
    KafkaSplitStart split{partition, -1, -1};
    MR_ASSIGN(const KafkaRange range, client.range(partition, timeout_ms));
    split.start = range.first;
    if (!later) {
      MR_ASSIGN(split.start, resolver.resolve(partition, options.start, range.first));
    }
    if (bounded) {
      MR_ASSIGN(split.stop, resolver.resolve(partition, options.stop, range.end));
    }
    found.push_back(std::move(split));
  }
  for (const KafkaPartition& partition : known.stop_wanted) {
    KafkaSplitStart split{partition, -1, -1};
    MR_ASSIGN(const KafkaRange range, client.range(partition, timeout_ms));
    MR_ASSIGN(split.stop, resolver.resolve(partition, options.stop, range.end));
    found.push_back(std::move(split));
  }
  known.stop_wanted.clear();
  known.partitions = std::move(seen);
  known.first = false;
  return found;
}

}  // namespace millrace
