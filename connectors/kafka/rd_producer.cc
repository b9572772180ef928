// KafkaProducerClient on librdkafka. A thread of our own serves the delivery reports, because nobody else would while
// the job is idle; each report counts down its epoch. What the client queues is bounded by our own count, so that a
// batch is either taken whole or not at all.
#include <librdkafka/rdkafka.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "connectors/kafka/client.h"
#include "connectors/kafka/rd_guards.h"
#include "core/log.h"

namespace millrace {

namespace {

constexpr size_t kQueuedRecordsMax = 100'000;
constexpr size_t kQueuedBytesMax = 32u << 20;
constexpr int kPollMs = 100;

class RdProducer final : public KafkaProducerClient {
 public:
  RdProducer(std::string topic, Waker* waker, KafkaTroubleCallback trouble)
      : topic_name_(std::move(topic)), waker_(waker), trouble_(std::move(trouble)) {
    epochs_.push_back(std::make_unique<Epoch>());
    current_ = epochs_.back().get();
  }

  ~RdProducer() override {
    stop_.store(true, std::memory_order_relaxed);
    if (reports_.joinable()) reports_.join();
    // What is still queued belongs to no completed checkpoint: the next start writes it again.
    if (handle_) rd_kafka_purge(handle_.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    if (handle_) rd_kafka_poll(handle_.get(), 0);
  }

  Status open(const KafkaSettings& settings, const std::string& partitioner) {
    MR_ASSIGN(RdConf conf, make_rd_conf(settings));
    rd_kafka_conf_set_opaque(conf.get(), this);
    rd_kafka_conf_set_error_cb(conf.get(), on_error);
    rd_kafka_conf_set_dr_msg_cb(conf.get(), on_report);
    char text[512];
    handle_.reset(rd_kafka_new(RD_KAFKA_PRODUCER, conf.get(), text, sizeof text));
    if (!handle_) return make_error(ErrorCode::kConnectorOption, std::string("kafka: ") + text);
    (void)conf.release();
    rd_kafka_topic_conf_t* topic_conf = rd_kafka_topic_conf_new();
    if (rd_kafka_topic_conf_set(topic_conf, "partitioner", partitioner.c_str(), text, sizeof text) !=
        RD_KAFKA_CONF_OK) {
      rd_kafka_topic_conf_destroy(topic_conf);
      return make_error(ErrorCode::kConnectorOption, std::string("kafka: ") + text);
    }
    // Made at once: otherwise the first record waits for a one-second timer that looks unknown topics up.
    topic_.reset(rd_kafka_topic_new(handle_.get(), topic_name_.c_str(), topic_conf));
    if (!topic_) return std::unexpected(rd_error(rd_kafka_last_error(), "kafka topic " + topic_name_));
    reports_ = std::thread([this] { serve_reports(); });
    return {};
  }

  bool has_room(size_t records, size_t bytes) override {
    if (fits(records, bytes)) return true;
    wanted_records_ = records;
    wanted_bytes_ = bytes;
    writer_waits_.store(true);
    if (!fits(records, bytes)) return false;
    writer_waits_.store(false);
    return true;
  }

  Status send(const KafkaOutRecord& record) override {
    Epoch* epoch = current_;
    epoch->open.fetch_add(1, std::memory_order_relaxed);
    records_.fetch_add(1, std::memory_order_relaxed);
    bytes_.fetch_add(record.value.size() + record.key.size(), std::memory_order_relaxed);
    const auto err = rd_kafka_producev(
        handle_.get(), RD_KAFKA_V_RKT(topic_.get()), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
        RD_KAFKA_V_VALUE(record.has_value ? const_cast<char*>(record.value.data()) : nullptr, record.value.size()),
        RD_KAFKA_V_KEY(record.has_key ? key_address(record.key) : nullptr, record.key.size()),
        RD_KAFKA_V_TIMESTAMP(record.timestamp), RD_KAFKA_V_OPAQUE(epoch), RD_KAFKA_V_END);
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR) return {};
    settle(epoch, record.value.size() + record.key.size());
    return std::unexpected(rd_error(err, "kafka topic " + topic_name_));
  }

  uint64_t end_epoch() override {
    const std::lock_guard lock(mutex_);
    epochs_.push_back(std::make_unique<Epoch>());
    current_ = epochs_.back().get();
    return first_epoch_ + epochs_.size() - 2;
  }

  std::optional<Error> failure() override {
    if (!failed_.load(std::memory_order_acquire)) return std::nullopt;
    const std::lock_guard lock(mutex_);
    return failure_;
  }

  Status wait_epoch(uint64_t epoch) override {
    std::unique_lock lock(mutex_);
    while (true) {
      if (failure_) return std::unexpected(*failure_);
      if (cancelled_) return make_error(ErrorCode::kCancelled, "kafka topic " + topic_name_ + ": the writer is gone");
      while (epochs_.size() > 1 && first_epoch_ <= epoch && epochs_.front()->open.load() == 0) {
        epochs_.pop_front();
        ++first_epoch_;
      }
      if (first_epoch_ > epoch) return {};
      settled_.wait(lock);
    }
  }

  void cancel() override {
    const std::lock_guard lock(mutex_);
    cancelled_ = true;
    settled_.notify_all();
  }

 private:
  struct Epoch {
    std::atomic<size_t> open{0};  // records without a delivery report
  };

  static const void* key_address(std::string_view key) { return key.data() != nullptr ? key.data() : ""; }

  bool fits(size_t records, size_t bytes) const {
    const size_t held = records_.load();
    // An empty queue takes everything, else a batch above the limit would wait for ever.
    return held == 0 || (held + records <= kQueuedRecordsMax && bytes_.load() + bytes <= kQueuedBytesMax);
  }

  /// The record needs no report any more.
  void settle(Epoch* epoch, size_t bytes) {
    records_.fetch_sub(1);
    bytes_.fetch_sub(bytes);
    if (epoch->open.fetch_sub(1) == 1) {
      const std::lock_guard lock(mutex_);
      settled_.notify_all();
    }
    if (writer_waits_.load() && fits(wanted_records_, wanted_bytes_) && writer_waits_.exchange(false)) waker_->notify();
  }

  void fail(Error error) {
    const std::lock_guard lock(mutex_);
    if (!failure_) failure_ = std::move(error);
    failed_.store(true, std::memory_order_release);
    settled_.notify_all();
    waker_->notify();
  }

  void serve_reports() {
    while (!stop_.load(std::memory_order_relaxed)) rd_kafka_poll(handle_.get(), kPollMs);
  }

  static void on_report(rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
    auto* self = static_cast<RdProducer*>(opaque);
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR && message->err != RD_KAFKA_RESP_ERR__PURGE_QUEUE &&
        message->err != RD_KAFKA_RESP_ERR__PURGE_INFLIGHT) {
      self->fail(rd_error(message->err, "kafka topic " + self->topic_name_ + ": a record was not delivered"));
    }
    self->settle(static_cast<Epoch*>(message->_private), message->len + message->key_len);
  }

  static void on_error(rd_kafka_t* handle, int err, const char* reason, void* opaque) {
    auto* self = static_cast<RdProducer*>(opaque);
    if (err == RD_KAFKA_RESP_ERR__FATAL) {
      char text[512];
      const auto fatal = rd_kafka_fatal_error(handle, text, sizeof text);
      self->fail(rd_error(fatal, "kafka topic " + self->topic_name_ + ": " + text));
    } else if (rd_recovers(err)) {
      self->trouble_();
      log_warn("kafka: trouble with the brokers, going on", {{"topic", self->topic_name_}, {"reason", reason}});
    } else {
      self->fail(rd_error(err, "kafka topic " + self->topic_name_ + ": " + reason));
    }
  }

  const std::string topic_name_;
  Waker* const waker_;
  KafkaTroubleCallback trouble_;

  std::mutex mutex_;  // guards epochs_, first_epoch_, failure_, cancelled_
  std::condition_variable settled_;
  std::deque<std::unique_ptr<Epoch>> epochs_;  // the last one is open for writing
  uint64_t first_epoch_ = 0;                   // number of epochs_.front()
  Epoch* current_ = nullptr;                   // writer's thread
  std::optional<Error> failure_;
  bool cancelled_ = false;
  std::atomic<bool> failed_{false};

  std::atomic<size_t> records_{0};
  std::atomic<size_t> bytes_{0};
  std::atomic<bool> writer_waits_{false};
  std::atomic<size_t> wanted_records_{0};
  std::atomic<size_t> wanted_bytes_{0};

  RdHandle handle_;
  RdTopic topic_;  // before the handle
  std::atomic<bool> stop_{false};
  std::thread reports_;
};

}  // namespace

Result<KafkaProducerClientPtr> make_rd_producer(const KafkaSettings& settings, const std::string& topic,
                                                const std::string& partitioner, Waker* waker,
                                                KafkaTroubleCallback trouble) {
  auto producer = std::make_shared<RdProducer>(topic, waker, std::move(trouble));
  MR_TRY(producer->open(settings, partitioner));
  return producer;
}

}  // namespace millrace
