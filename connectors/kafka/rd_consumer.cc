// KafkaConsumerClient on librdkafka: one handle, partitions assigned by hand, one un-forwarded queue per partition so
// that the reader decides which partition it reads. The reasons for the settings are in README.md.
#include <librdkafka/rdkafka.h>

#include <atomic>
#include <set>

#include "connectors/kafka/client.h"
#include "connectors/kafka/rd_guards.h"
#include "core/log.h"

namespace millrace {

namespace {

struct FetchCall {
  rd_kafka_t* handle;
  uint32_t left;
  int64_t from;
  bool with_headers;
  RecordBatch* out;
  KafkaFetch result;
  KafkaTroubleCallback* trouble;
};

StringRef copy_bytes(Arena& arena, const void* data, size_t size) {
  return arena.copy({static_cast<const char*>(data), size});
}

void copy_headers(const rd_kafka_message_t* message, RecordBatch& out, Record& record) {
  rd_kafka_headers_t* headers = nullptr;
  record.first_header = static_cast<uint32_t>(out.headers.size());
  if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return;
  const char* name = nullptr;
  const void* value = nullptr;
  size_t size = 0;
  for (size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR; ++i) {
    out.headers.push_back({out.arena->copy(name), copy_bytes(*out.arena, value, size)});
    ++record.headers;
  }
}

void copy_record(const rd_kafka_message_t* message, FetchCall& call) {
  RecordBatch& out = *call.out;
  Record& record = out.records.emplace_back();
  record.has_value = message->payload != nullptr;
  // Also an empty value needs an address that is followed by padding.
  record.value = copy_bytes(*out.arena, record.has_value ? message->payload : "", message->len);
  record.has_key = message->key != nullptr;
  if (record.has_key) record.key = copy_bytes(*out.arena, message->key, message->key_len);
  record.offset = message->offset;
  rd_kafka_timestamp_type_t type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
  record.timestamp = rd_kafka_message_timestamp(message, &type);
  if (call.with_headers) copy_headers(message, out, record);
}

void on_fetched(rd_kafka_message_t* message, void* opaque) {
  FetchCall& call = *static_cast<FetchCall*>(opaque);
  switch (message->err) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
      call.result.at_end = false;
      call.result.next_offset = message->offset + 1;
      if (message->offset < call.from) return;  // librdkafka 2.0.2 may repeat records after an offset validation
      copy_record(message, call);
      if (--call.left == 0) rd_kafka_yield(call.handle);
      return;
    case RD_KAFKA_RESP_ERR__PARTITION_EOF:
      // The event's offset has stepped over transaction markers, which are never delivered.
      call.result.next_offset = message->offset;
      call.result.at_end = true;
      return;
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
      call.result.lost = true;
      return;
    default:
      if (rd_recovers(message->err)) {
        (*call.trouble)();
      } else if (!call.result.error) {
        call.result.error = rd_error(message->err, std::string("kafka topic ") + rd_kafka_topic_name(message->rkt));
      }
  }
}

class RdConsumer final : public KafkaConsumerClient {
 public:
  RdConsumer(bool with_headers, Waker* waker, KafkaTroubleCallback trouble)
      : with_headers_(with_headers), waker_(waker), trouble_(std::move(trouble)) {}

  ~RdConsumer() override {
    if (!handle_) return;
    for (Lane& lane : lanes_) rd_kafka_queue_cb_event_enable(lane.queue.get(), nullptr, nullptr);
    rd_kafka_queue_cb_event_enable(events_.get(), nullptr, nullptr);
  }

  Status open(const KafkaSettings& settings) {
    MR_ASSIGN(RdConf conf, make_rd_conf(settings));
    rd_kafka_conf_set_opaque(conf.get(), this);
    rd_kafka_conf_set_error_cb(conf.get(), on_error);
    rd_kafka_conf_set_offset_commit_cb(conf.get(), on_commit);
    char text[512];
    handle_.reset(rd_kafka_new(RD_KAFKA_CONSUMER, conf.get(), text, sizeof text));
    if (!handle_) return make_error(ErrorCode::kConnectorOption, std::string("kafka: ") + text);
    (void)conf.release();  // the handle owns it now
    rd_kafka_poll_set_consumer(handle_.get());
    events_.reset(rd_kafka_queue_get_consumer(handle_.get()));
    rd_kafka_queue_cb_event_enable(events_.get(), on_client_event, this);
    return {};
  }

  Result<uint32_t> start(const KafkaPartition& partition, int64_t offset) override {
    Lane lane;
    lane.partition = partition;
    lane.queue.reset(rd_kafka_queue_get_partition(handle_.get(), partition.topic.c_str(), partition.partition));
    if (!lane.queue) return make_error(ErrorCode::kInternal, "kafka: no queue for " + partition.to_string());
    // Before the assignment: librdkafka then leaves the queue alone, and no record can go elsewhere.
    rd_kafka_queue_forward(lane.queue.get(), nullptr);
    rd_kafka_queue_cb_event_enable(lane.queue.get(), on_lane_event, this);
    lanes_.push_back(std::move(lane));
    const auto number = static_cast<uint32_t>(lanes_.size() - 1);
    MR_TRY(assign(number, offset));
    return number;
  }

  Status restart(uint32_t lane, int64_t offset) override {
    const RdList list = list_of(lanes_[lane].partition, offset);
    MR_TRY(check(rd_kafka_incremental_unassign(handle_.get(), list.get()), lanes_[lane].partition));
    return assign(lane, offset);
  }

  KafkaFetch fetch(uint32_t lane, uint32_t max_records, int64_t from, RecordBatch& out) override {
    FetchCall call{handle_.get(), max_records, from, with_headers_, &out, {}, &trouble_};
    rd_kafka_consume_callback_queue(lanes_[lane].queue.get(), 0, on_fetched, &call);
    return std::move(call.result);
  }

  size_t queued(uint32_t lane) override { return rd_kafka_queue_length(lanes_[lane].queue.get()); }

  int64_t cached_end(uint32_t lane) override {
    const KafkaPartition& partition = lanes_[lane].partition;
    int64_t low = -1;
    int64_t high = -1;
    rd_kafka_get_watermark_offsets(handle_.get(), partition.topic.c_str(), partition.partition, &low, &high);
    return high;
  }

  std::optional<Error> take_error() override {
    if (!has_events_.exchange(false, std::memory_order_acquire)) return std::nullopt;
    while (rd_kafka_message_t* message = rd_kafka_consumer_poll(handle_.get(), 0)) {
      if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) note_error(message->err, rd_kafka_message_errstr(message));
      rd_kafka_message_destroy(message);
    }
    return std::exchange(error_, std::nullopt);
  }

  Result<std::vector<KafkaPartition>> partitions(const std::vector<std::string>& topics, int timeout_ms) override {
    std::vector<KafkaPartition> found;
    std::string missing;
    for (const std::string& topic : topics) {
      RdTopic& known = topics_[topic];
      if (!known) known.reset(rd_kafka_topic_new(handle_.get(), topic.c_str(), nullptr));
      const struct rd_kafka_metadata* metadata = nullptr;
      const auto err = rd_kafka_metadata(handle_.get(), 0, known.get(), &metadata, timeout_ms);
      if (err != RD_KAFKA_RESP_ERR_NO_ERROR) return std::unexpected(rd_error(err, "kafka topic " + topic));
      const rd_kafka_metadata_topic_t& answer = metadata->topics[0];
      const auto topic_err = metadata->topic_cnt == 1 ? answer.err : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
      for (int i = 0; topic_err == RD_KAFKA_RESP_ERR_NO_ERROR && i < answer.partition_cnt; ++i)
        found.push_back({topic, answer.partitions[i].id});
      rd_kafka_metadata_destroy(metadata);
      if (topic_err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
        missing += (missing.empty() ? "" : ", ") + topic;
      } else if (topic_err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return std::unexpected(rd_error(topic_err, "kafka topic " + topic));
      }
    }
    if (!missing.empty()) {
      return make_error(ErrorCode::kMissingTopic, "kafka topic " + missing + " does not exist",
                        "create it, or correct `topics`");
    }
    return found;
  }

  Result<KafkaRange> range(const KafkaPartition& partition, int timeout_ms) override {
    KafkaRange range;
    const auto err = rd_kafka_query_watermark_offsets(handle_.get(), partition.topic.c_str(), partition.partition,
                                                      &range.first, &range.end, timeout_ms);
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
      return std::unexpected(rd_error(err, "kafka partition " + partition.to_string()));
    return range;
  }

  Result<std::optional<int64_t>> offset_at(const KafkaPartition& partition, int64_t time_ms, int timeout_ms) override {
    const RdList list = list_of(partition, time_ms);
    auto err = rd_kafka_offsets_for_times(handle_.get(), list.get(), timeout_ms);
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR) err = list->elems[0].err;
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
      return std::unexpected(rd_error(err, "kafka partition " + partition.to_string()));
    const int64_t offset = list->elems[0].offset;
    return offset >= 0 ? std::optional(offset) : std::nullopt;
  }

  Result<std::map<KafkaPartition, int64_t>> committed(const std::vector<KafkaPartition>& partitions,
                                                      int timeout_ms) override {
    const RdList list(rd_kafka_topic_partition_list_new(static_cast<int>(partitions.size())));
    for (const KafkaPartition& partition : partitions)
      rd_kafka_topic_partition_list_add(list.get(), partition.topic.c_str(), partition.partition);
    const auto err = rd_kafka_committed(handle_.get(), list.get(), timeout_ms);
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR) return std::unexpected(rd_error(err, "kafka: committed offsets"));
    std::map<KafkaPartition, int64_t> answer;
    for (int i = 0; i < list->cnt; ++i) {
      const rd_kafka_topic_partition_t& entry = list->elems[i];
      if (entry.err != RD_KAFKA_RESP_ERR_NO_ERROR)
        return std::unexpected(rd_error(entry.err, "kafka: committed offsets"));
      if (entry.offset >= 0) answer[{entry.topic, entry.partition}] = entry.offset;
    }
    return answer;
  }

  void commit(const std::vector<std::pair<KafkaPartition, int64_t>>& offsets) override {
    const RdList list(rd_kafka_topic_partition_list_new(static_cast<int>(offsets.size())));
    for (const auto& [partition, offset] : offsets)
      rd_kafka_topic_partition_list_add(list.get(), partition.topic.c_str(), partition.partition)->offset = offset;
    rd_kafka_commit(handle_.get(), list.get(), 1);
  }

  void ring(const KafkaPartition& partition) override {
    int64_t low = 0;
    int64_t high = 0;
    rd_kafka_query_watermark_offsets(handle_.get(), partition.topic.c_str(), partition.partition, &low, &high, 1);
  }

 private:
  struct Lane {
    KafkaPartition partition;
    RdQueue queue;
  };

  static RdList list_of(const KafkaPartition& partition, int64_t offset) {
    RdList list(rd_kafka_topic_partition_list_new(1));
    rd_kafka_topic_partition_list_add(list.get(), partition.topic.c_str(), partition.partition)->offset = offset;
    return list;
  }

  static Status check(rd_kafka_error_t* raw, const KafkaPartition& partition) {
    const RdError error(raw);
    if (!error) return {};
    return std::unexpected(rd_error(rd_kafka_error_code(error.get()), "kafka partition " + partition.to_string()));
  }

  Status assign(uint32_t lane, int64_t offset) {
    const RdList list = list_of(lanes_[lane].partition, offset);
    return check(rd_kafka_incremental_assign(handle_.get(), list.get()), lanes_[lane].partition);
  }

  void note_error(rd_kafka_resp_err_t err, const char* reason) {
    if (rd_recovers(err)) {
      trouble_();
      log_warn("kafka: trouble with the brokers, going on", {{"reason", reason}});
    } else if (err == RD_KAFKA_RESP_ERR__FATAL || err == RD_KAFKA_RESP_ERR__AUTHENTICATION ||
               err == RD_KAFKA_RESP_ERR__SSL || err == RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED) {
      if (!error_) error_ = rd_error(err, std::string("kafka: ") + reason);
    } else {
      log_warn("kafka: client error", {{"reason", reason}, {"error", rd_kafka_err2name(err)}});
    }
  }

  static void on_error(rd_kafka_t*, int err, const char* reason, void* opaque) {
    static_cast<RdConsumer*>(opaque)->note_error(static_cast<rd_kafka_resp_err_t>(err), reason);
  }

  static void on_commit(rd_kafka_t*, rd_kafka_resp_err_t err, rd_kafka_topic_partition_list_t*, void*) {
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR && err != RD_KAFKA_RESP_ERR__NO_OFFSET)
      log_warn("kafka: group offsets were not committed (they are for monitoring only)",
               {{"error", rd_kafka_err2str(err)}});
  }

  static void on_lane_event(rd_kafka_t*, void* opaque) { static_cast<RdConsumer*>(opaque)->waker_->notify(); }

  static void on_client_event(rd_kafka_t*, void* opaque) {
    auto* self = static_cast<RdConsumer*>(opaque);
    self->has_events_.store(true, std::memory_order_release);
    self->waker_->notify();
  }

  const bool with_headers_;
  Waker* const waker_;
  KafkaTroubleCallback trouble_;
  std::atomic<bool> has_events_{false};
  std::optional<Error> error_;
  RdHandle handle_;  // destroyed after everything that came out of it
  std::map<std::string, RdTopic> topics_;
  RdQueue events_;
  std::vector<Lane> lanes_;
};

}  // namespace

Result<KafkaConsumerClientPtr> make_rd_consumer(const KafkaSettings& settings, bool with_headers, Waker* waker,
                                                KafkaTroubleCallback trouble) {
  auto consumer = std::make_unique<RdConsumer>(with_headers, waker, std::move(trouble));
  MR_TRY(consumer->open(settings));
  return consumer;
}

}  // namespace millrace
