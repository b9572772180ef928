#include "connectors/kafka/topic_audit.h"

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>

#include <chrono>
#include <map>
#include <memory>
#include <unordered_map>

#include "connectors/kafka/out_row.h"
#include "connectors/kafka/rd_guards.h"
#include "core/hash.h"

namespace millrace {

namespace {

constexpr int kAuditCallMs = 10'000;
constexpr int kAuditSilenceMs = 30'000;

struct AuditMessageDelete {
  void operator()(rd_kafka_message_t* message) const { rd_kafka_message_destroy(message); }
};
using AuditMessage = std::unique_ptr<rd_kafka_message_t, AuditMessageDelete>;

/// How often a record is wanted and found.
struct AuditCount {
  uint64_t wanted = 0;
  uint64_t found = 0;
};
using AuditCounts = std::unordered_map<std::string, AuditCount>;

/// What tells a record from others: its place when it carries one, key and value.
std::string record_identity(std::string_view place, bool has_key, std::string_view key, bool has_value,
                            std::string_view value) {
  ByteWriter out;
  out.put_string(place);
  out.put<uint8_t>(static_cast<uint8_t>((has_key ? 1 : 0) | (has_value ? 2 : 0)));
  out.put_string(key);
  out.put_string(value);
  return out.take();
}

std::string place_text(std::string_view lane, std::string_view epoch, std::string_view part, std::string_view index) {
  return fmt::format("{}/{}/{}/{}", lane, epoch, part, index);
}

std::string place_of(const rd_kafka_message_t* message) {
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return {};
  const auto text = [&](const char* name) -> std::string_view {
    const void* value = nullptr;
    size_t size = 0;
    if (rd_kafka_header_get_last(headers, name, &value, &size) != RD_KAFKA_RESP_ERR_NO_ERROR) return {};
    return {static_cast<const char*>(value), size};
  };
  return place_text(text("lane"), text("epoch"), text("part"), text("index"));
}

class TopicScan {
 public:
  TopicScan(const KafkaSinkOptions& options, std::string topic) : options_(options), topic_(std::move(topic)) {}

  /// Counts what is wanted, over the whole topic.
  Status run(AuditCounts& counts) {
    MR_TRY(open());
    MR_TRY(assign());
    auto last = std::chrono::steady_clock::now();
    while (!ends_.empty()) {
      const AuditMessage message(rd_kafka_consumer_poll(consumer_.get(), 100));
      if (!message) {
        if (std::chrono::steady_clock::now() - last > std::chrono::milliseconds(kAuditSilenceMs)) {
          return make_error(ErrorCode::kUnreachable, "kafka topic " + topic_ + ": the broker is silent");
        }
        continue;
      }
      last = std::chrono::steady_clock::now();
      if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        ends_.erase(message->partition);
      } else if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        count(message.get(), counts);
      } else if (!rd_recovers(message->err)) {
        return std::unexpected(rd_error(message->err, "kafka topic " + topic_));
      }
    }
    return {};
  }

 private:
  Status open() {
    KafkaSettings settings = options_.connection;
    const KafkaSettings ours{{"group.id", "millrace-audit"},        {"enable.auto.commit", "false"},
                             {"enable.partition.eof", "true"},      {"auto.offset.reset", "earliest"},
                             {"allow.auto.create.topics", "false"}, {"isolation.level", "read_committed"}};
    settings.insert(settings.end(), ours.begin(), ours.end());
    MR_ASSIGN(RdConf conf, make_rd_conf(settings));
    char text[512];
    consumer_.reset(rd_kafka_new(RD_KAFKA_CONSUMER, conf.get(), text, sizeof text));
    if (!consumer_) return make_error(ErrorCode::kConnectorOption, std::string("kafka: ") + text);
    (void)conf.release();
    rd_kafka_poll_set_consumer(consumer_.get());
    return {};
  }

  Status assign() {
    const RdTopic topic(rd_kafka_topic_new(consumer_.get(), topic_.c_str(), nullptr));
    const struct rd_kafka_metadata* metadata = nullptr;
    if (const auto err = rd_kafka_metadata(consumer_.get(), 0, topic.get(), &metadata, kAuditCallMs);
        err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      return std::unexpected(rd_error(err, "kafka topic " + topic_));
    }
    const int partitions = metadata->topic_cnt == 1 ? metadata->topics[0].partition_cnt : 0;
    rd_kafka_metadata_destroy(metadata);
    if (partitions == 0) return make_error(ErrorCode::kMissingTopic, "kafka topic " + topic_ + " does not exist");
    const RdList list(rd_kafka_topic_partition_list_new(partitions));
    for (int32_t i = 0; i < partitions; ++i) {
      rd_kafka_topic_partition_list_add(list.get(), topic_.c_str(), i)->offset = RD_KAFKA_OFFSET_BEGINNING;
      ends_[i] = true;
    }
    if (const auto err = rd_kafka_assign(consumer_.get(), list.get()); err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      return std::unexpected(rd_error(err, "kafka topic " + topic_));
    }
    return {};
  }

  void count(const rd_kafka_message_t* message, AuditCounts& counts) const {
    const std::string place = options_.epoch_headers ? place_of(message) : std::string();
    const std::string_view key(static_cast<const char*>(message->key), message->key_len);
    const std::string_view value(static_cast<const char*>(message->payload), message->len);
    const auto wanted =
        counts.find(record_identity(place, message->key != nullptr, key, message->payload != nullptr, value));
    if (wanted != counts.end()) ++wanted->second.found;
  }

  const KafkaSinkOptions& options_;
  const std::string topic_;
  RdHandle consumer_;
  std::map<int32_t, bool> ends_;  // partitions whose end was not seen
};

/// The records of a part, in order.
Result<std::vector<std::string>> identities_of(PublishedPart& part, bool with_place) {
  std::vector<std::string> identities;
  std::string_view row;
  KafkaOutRecord record;
  part.rows->rewind();
  while (true) {
    MR_ASSIGN(const bool more, part.rows->next(row));
    if (!more) return identities;
    if (!decode_out_row(row, record)) return make_error(ErrorCode::kCorruptState, "a row of a segment cannot be read");
    const std::string place = with_place
                                  ? place_text(std::to_string(part.lane.lane), std::to_string(part.marker.epoch),
                                               std::to_string(part.marker.part), std::to_string(identities.size()))
                                  : std::string();
    identities.push_back(record_identity(place, record.has_key, record.key, record.has_value, record.value));
  }
}

std::string finding_of(const PublishedPart& part, uint64_t rows, uint64_t missing, uint64_t repeated) {
  return fmt::format("lane {}, epoch {}, part {} in {}: {} of {} rows missing, {} repeated", part.lane.lane,
                     part.marker.epoch, part.marker.part, part.target, missing, rows, repeated);
}

}  // namespace

Result<std::vector<std::string>> audit_kafka_topics(const KafkaSinkOptions& options, std::vector<PublishedPart> parts) {
  std::map<std::string, AuditCounts> topics;
  std::vector<std::vector<std::string>> identities;
  for (PublishedPart& part : parts) {
    MR_ASSIGN(std::vector<std::string> of_part, identities_of(part, options.epoch_headers));
    for (const std::string& identity : of_part) ++topics[part.target][identity].wanted;
    identities.push_back(std::move(of_part));
  }
  for (auto& [topic, counts] : topics) MR_TRY(TopicScan(options, topic).run(counts));
  std::vector<std::string> findings;
  for (size_t i = 0; i < parts.size(); ++i) {
    uint64_t missing = 0;
    uint64_t repeated = 0;
    for (const std::string& identity : identities[i]) {
      const AuditCount& count = topics[parts[i].target][identity];
      if (count.found < count.wanted) ++missing;
      // Without places an equal row may well belong to an epoch whose segment is gone.
      if (count.found > count.wanted && options.epoch_headers) ++repeated;
    }
    if (missing + repeated > 0) findings.push_back(finding_of(parts[i], identities[i].size(), missing, repeated));
  }
  return findings;
}

}  // namespace millrace
