#include "connectors/kafka/progress_topic.h"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <chrono>

#include "connectors/kafka/commit_marker.h"
#include "core/crash_point.h"
#include "data/number_text.h"

namespace millrace {

namespace {

constexpr int kAdminMs = 10'000;
constexpr int kReadMs = 10'000;
constexpr int64_t kTail = 64;

struct EventDelete {
  void operator()(rd_kafka_event_t* event) const { rd_kafka_event_destroy(event); }
};
using RdEvent = std::unique_ptr<rd_kafka_event_t, EventDelete>;
struct OptionsDelete {
  void operator()(rd_kafka_AdminOptions_t* options) const { rd_kafka_AdminOptions_destroy(options); }
};
using RdAdminOptions = std::unique_ptr<rd_kafka_AdminOptions_t, OptionsDelete>;
struct MessageDelete {
  void operator()(rd_kafka_message_t* message) const { rd_kafka_message_destroy(message); }
};
using RdMessage = std::unique_ptr<rd_kafka_message_t, MessageDelete>;

RdAdminOptions progress_admin_options(rd_kafka_t* client) {
  RdAdminOptions options(rd_kafka_AdminOptions_new(client, RD_KAFKA_ADMIN_OP_ANY));
  char text[256];
  (void)rd_kafka_AdminOptions_set_request_timeout(options.get(), kAdminMs, text, sizeof text);
  return options;
}

Result<RdEvent> progress_await(rd_kafka_queue_t* queue, const std::string& what) {
  RdEvent event(rd_kafka_queue_poll(queue, kAdminMs + 2'000));
  if (!event) return make_error(ErrorCode::kUnreachable, what + ": no answer");
  if (const auto err = rd_kafka_event_error(event.get()); err != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return std::unexpected(rd_error(err, what));
  }
  return event;
}

Status progress_topic_result(const rd_kafka_topic_result_t** results, size_t count, const std::string& what,
                             rd_kafka_resp_err_t harmless) {
  for (size_t i = 0; i < count; ++i) {
    const auto err = rd_kafka_topic_result_error(results[i]);
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR || err == harmless) continue;
    const char* text = rd_kafka_topic_result_error_string(results[i]);
    return std::unexpected(rd_error(err, what + (text != nullptr ? std::string(" (") + text + ")" : "")));
  }
  return {};
}

}  // namespace

Result<RdHandle> KafkaProgressTopic::open(bool consumer) {
  KafkaSettings settings = connection_;
  if (consumer) {
    const KafkaSettings ours{
        {"group.id", topic_},           {"enable.auto.commit", "false"},       {"enable.partition.eof", "true"},
        {"auto.offset.reset", "error"}, {"allow.auto.create.topics", "false"}, {"isolation.level", "read_committed"},
        {"fetch.wait.max.ms", "10"},    {"fetch.error.backoff.ms", "20"},      {"check.crcs", "true"}};
    settings.insert(settings.end(), ours.begin(), ours.end());
  }
  MR_ASSIGN(RdConf conf, make_rd_conf(settings));
  char text[512];
  RdHandle handle(rd_kafka_new(consumer ? RD_KAFKA_CONSUMER : RD_KAFKA_PRODUCER, conf.get(), text, sizeof text));
  if (!handle) return make_error(ErrorCode::kConnectorOption, std::string("kafka: ") + text);
  (void)conf.release();
  if (consumer) rd_kafka_poll_set_consumer(handle.get());
  return handle;
}

Status KafkaProgressTopic::create(uint32_t lanes) {
  char text[512];
  rd_kafka_NewTopic_t* topic = rd_kafka_NewTopic_new(topic_.c_str(), static_cast<int>(lanes), -1, text, sizeof text);
  if (topic == nullptr) return make_error(ErrorCode::kConnectorOption, std::string("kafka: ") + text);
  (void)rd_kafka_NewTopic_set_config(topic, "cleanup.policy", "compact");
  (void)rd_kafka_NewTopic_set_config(topic, "segment.bytes", "1048576");
  const RdQueue queue(rd_kafka_queue_new(client_.get()));
  const RdAdminOptions options = progress_admin_options(client_.get());
  rd_kafka_CreateTopics(client_.get(), &topic, 1, options.get(), queue.get());
  rd_kafka_NewTopic_destroy(topic);
  const std::string what = "kafka progress topic " + topic_ + " cannot be created";
  MR_ASSIGN(const RdEvent event, progress_await(queue.get(), what));
  size_t count = 0;
  const auto** results = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event.get()), &count);
  return progress_topic_result(results, count, what, RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS);
}

Status KafkaProgressTopic::grow(uint32_t lanes) {
  char text[512];
  rd_kafka_NewPartitions_t* more = rd_kafka_NewPartitions_new(topic_.c_str(), lanes, text, sizeof text);
  if (more == nullptr) return make_error(ErrorCode::kConnectorOption, std::string("kafka: ") + text);
  const RdQueue queue(rd_kafka_queue_new(client_.get()));
  const RdAdminOptions options = progress_admin_options(client_.get());
  rd_kafka_CreatePartitions(client_.get(), &more, 1, options.get(), queue.get());
  rd_kafka_NewPartitions_destroy(more);
  const std::string what = "kafka progress topic " + topic_ + " cannot get more partitions";
  MR_ASSIGN(const RdEvent event, progress_await(queue.get(), what));
  size_t count = 0;
  const auto** results =
      rd_kafka_CreatePartitions_result_topics(rd_kafka_event_CreatePartitions_result(event.get()), &count);
  // Another subtask may have been quicker: then the count is wrong for us, and right.
  return progress_topic_result(results, count, what, RD_KAFKA_RESP_ERR_INVALID_PARTITIONS);
}

Result<int32_t> KafkaProgressTopic::partition_count() {
  const RdTopic topic(rd_kafka_topic_new(client_.get(), topic_.c_str(), nullptr));
  const struct rd_kafka_metadata* metadata = nullptr;
  if (const auto err = rd_kafka_metadata(client_.get(), 0, topic.get(), &metadata, kAdminMs);
      err != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return std::unexpected(rd_error(err, "kafka progress topic " + topic_));
  }
  int32_t count = 0;
  if (metadata->topic_cnt == 1 && metadata->topics[0].err == RD_KAFKA_RESP_ERR_NO_ERROR) {
    bool led = true;
    for (int i = 0; i < metadata->topics[0].partition_cnt; ++i) {
      led = led && metadata->topics[0].partitions[i].leader >= 0;
    }
    count = led ? metadata->topics[0].partition_cnt : 0;
  }
  rd_kafka_metadata_destroy(metadata);
  return count;
}

Result<uint32_t> KafkaProgressTopic::lanes() {
  const std::lock_guard lock(mutex_);
  if (!consumer_) {  // a producer's question would make the topic on some brokers
    MR_ASSIGN(consumer_, open(true));
  }
  const RdTopic topic(rd_kafka_topic_new(consumer_.get(), topic_.c_str(), nullptr));
  const struct rd_kafka_metadata* metadata = nullptr;
  auto err = rd_kafka_metadata(consumer_.get(), 0, topic.get(), &metadata, kAdminMs);
  uint32_t count = 0;
  if (err == RD_KAFKA_RESP_ERR_NO_ERROR) {
    err = metadata->topic_cnt == 1 ? metadata->topics[0].err : RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC;
    // Also those that have no leader at the moment.
    if (metadata->topic_cnt == 1) count = static_cast<uint32_t>(std::max(0, metadata->topics[0].partition_cnt));
    rd_kafka_metadata_destroy(metadata);
  }
  if (err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART || err == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC) return 0;
  if (err != RD_KAFKA_RESP_ERR_NO_ERROR && err != RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE) {
    return std::unexpected(rd_error(err, "kafka progress topic " + topic_));
  }
  return count;
}

/// A topic is there some moments after it was created.
Status KafkaProgressTopic::await_partitions(uint32_t lanes) {
  for (int i = 0; i < 100; ++i) {
    MR_ASSIGN(const int32_t count, partition_count());
    if (count >= static_cast<int32_t>(lanes)) return {};
    rd_kafka_poll(client_.get(), 20);
  }
  return make_error(ErrorCode::kUnreachable, "kafka progress topic " + topic_ + " has no leaders yet");
}

Result<std::string> KafkaProgressTopic::topic_setting(const std::string& topic, const std::string& setting) {
  rd_kafka_ConfigResource_t* resource = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic.c_str());
  const RdQueue queue(rd_kafka_queue_new(client_.get()));
  const RdAdminOptions options = progress_admin_options(client_.get());
  rd_kafka_DescribeConfigs(client_.get(), &resource, 1, options.get(), queue.get());
  rd_kafka_ConfigResource_destroy(resource);
  const std::string what = "kafka topic " + topic;
  MR_ASSIGN(const RdEvent event, progress_await(queue.get(), what));
  size_t count = 0;
  const auto** found =
      rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(event.get()), &count);
  if (count != 1) return make_error(ErrorCode::kExternalFailed, what + ": its settings cannot be read");
  if (const auto err = rd_kafka_ConfigResource_error(found[0]); err != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return std::unexpected(rd_error(err, what));
  }
  size_t entries = 0;
  const auto** configs = rd_kafka_ConfigResource_configs(found[0], &entries);
  for (size_t i = 0; i < entries; ++i) {
    if (setting == rd_kafka_ConfigEntry_name(configs[i])) {
      const char* value = rd_kafka_ConfigEntry_value(configs[i]);
      return std::string(value != nullptr ? value : "");
    }
  }
  return std::string();
}

Result<int64_t> KafkaProgressTopic::max_message_bytes(const std::string& topic) {
  const std::lock_guard lock(mutex_);
  if (!client_) {
    MR_ASSIGN(client_, open(false));
  }
  MR_ASSIGN(const std::string text, topic_setting(topic, "max.message.bytes"));
  return parse_int64(text).value_or(INT64_MAX);
}

Status KafkaProgressTopic::ensure(uint32_t lanes) {
  const std::lock_guard lock(mutex_);
  if (ensured_ >= lanes) return {};
  if (!client_) {
    MR_ASSIGN(client_, open(false));
  }
  MR_TRY(create(lanes));
  MR_TRY(await_partitions(1));
  MR_ASSIGN(const int32_t count, partition_count());
  if (count < static_cast<int32_t>(lanes)) {
    MR_TRY(grow(lanes));
    MR_TRY(await_partitions(lanes));
  }
  MR_ASSIGN(const std::string policy, topic_setting(topic_, "cleanup.policy"));
  if (policy != "compact") {
    return make_error(ErrorCode::kConnectorOption,
                      "kafka progress topic " + topic_ + " has cleanup.policy=" + policy + ", which deletes markers",
                      "set cleanup.policy=compact on it");
  }
  ensured_ = lanes;
  return {};
}

int32_t KafkaProgressTopic::partition_of(uint32_t lane) {
  return seeded_bug("shared_progress") ? 0 : static_cast<int32_t>(lane);
}

Result<std::optional<CommitMarker>> KafkaProgressTopic::read(uint32_t lane, const std::string& key) {
  const std::lock_guard lock(mutex_);
  if (!consumer_) {
    MR_ASSIGN(consumer_, open(true));
  }
  int64_t low = 0;
  int64_t high = 0;  // read_committed: the last stable offset
  const int32_t partition = partition_of(lane);
  const auto err = rd_kafka_query_watermark_offsets(consumer_.get(), topic_.c_str(), partition, &low, &high, kReadMs);
  if (err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART || err == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION ||
      err == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC) {
    ensured_ = 0;  // deleted while we run: it is made anew, and the missing marker is noticed
    consumer_.reset();
    return make_error(ErrorCode::kExternalFailed, "kafka progress topic " + topic_ + " is gone");
  }
  if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
    consumer_.reset();
    return std::unexpected(rd_error(err, "kafka progress topic " + topic_));
  }
  auto found = read_from(consumer_.get(), partition, key, std::max(low, high - kTail), high);
  if (found && !*found && high - kTail > low) found = read_from(consumer_.get(), partition, key, low, high);
  if (!found) consumer_.reset();
  return found;
}

Result<std::optional<CommitMarker>> KafkaProgressTopic::read_from(rd_kafka_s* consumer, int32_t partition,
                                                                  const std::string& key, int64_t begin, int64_t end) {
  if (begin >= end) return std::nullopt;
  const RdList assignment(rd_kafka_topic_partition_list_new(1));
  rd_kafka_topic_partition_list_add(assignment.get(), topic_.c_str(), partition)->offset = begin;
  if (const auto err = rd_kafka_assign(consumer, assignment.get()); err != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return std::unexpected(rd_error(err, "kafka progress topic " + topic_));
  }
  std::string newest;
  bool found = false;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(kReadMs);
  while (true) {
    if (std::chrono::steady_clock::now() > deadline) {
      return make_error(ErrorCode::kUnreachable,
                        "kafka progress topic " + topic_ + ": reading the marker takes too long");
    }
    const RdMessage message(rd_kafka_consumer_poll(consumer, 100));
    if (!message) continue;
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
      if (message->offset >= end) break;
      continue;
    }
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      if (rd_recovers(message->err)) continue;
      return std::unexpected(rd_error(message->err, "kafka progress topic " + topic_));
    }
    if (message->payload == nullptr) continue;
    if (std::string_view(static_cast<const char*>(message->key), message->key_len) == key) {
      newest.assign(static_cast<const char*>(message->payload), message->len);
      found = true;
    }
    // A transaction here is a marker and the control record that ends it: behind the last one nothing can follow, and
    // the event of the partition's end would cost another fetch.
    if (message->offset >= end - 2) break;
  }
  (void)rd_kafka_assign(consumer, nullptr);
  if (!found) return std::nullopt;
  MR_ASSIGN(CommitMarker marker, decode_kafka_marker(newest));
  return marker;
}

}  // namespace millrace
