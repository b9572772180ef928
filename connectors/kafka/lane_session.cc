#include "connectors/kafka/lane_session.h"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <chrono>
#include <string_view>

#include "connectors/kafka/commit_marker.h"
#include "connectors/kafka/out_row.h"
#include "connectors/kafka/rd_guards.h"
#include "core/crash_point.h"

namespace millrace {

namespace {

constexpr int kInitMs = 5'000;
constexpr int kCommitMs = 20'000;
constexpr int kFlushMs = 25'000;  // below the transaction's time-out
constexpr int kSliceMs = 200;
constexpr uint64_t kPollRows = 1024;

bool is_refusal(rd_kafka_resp_err_t err) {
  return err == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE || err == RD_KAFKA_RESP_ERR_INVALID_MSG ||
         err == RD_KAFKA_RESP_ERR_INVALID_RECORD || err == RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP ||
         err == RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE;
}

/// Everything but a refused row and missing rights may pass, a vanished topic among it: a broker that starts knows
/// none.
Error lane_error(int err, const std::string& what) {
  Error error = rd_error(err, what);
  if (is_refusal(static_cast<rd_kafka_resp_err_t>(err))) {
    error.code = ErrorCode::kOutputRefused;
  } else if (error.code != ErrorCode::kExternalRefused && error.code != ErrorCode::kConnectorOption) {
    error.code = ErrorCode::kExternalFailed;
  }
  return error;
}

/// Adds the time of its life to a phase.
class PhaseTimer {
 public:
  explicit PhaseTimer(double* phase) : phase_(phase), began_(std::chrono::steady_clock::now()) {}
  ~PhaseTimer() {
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - began_;
    if (phase_ != nullptr) *phase_ += took.count();
  }
  PhaseTimer(const PhaseTimer&) = delete;
  PhaseTimer& operator=(const PhaseTimer&) = delete;

 private:
  double* phase_;
  std::chrono::steady_clock::time_point began_;
};

class KafkaLaneSession final : public LaneSession {
 public:
  explicit KafkaLaneSession(KafkaLaneConfig config) : config_(std::move(config)) {}
  ~KafkaLaneSession() override {
    if (!handle_) return;
    rd_kafka_purge(handle_.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_poll(handle_.get(), 0);
  }

  Status open() {
    const PhaseTimer timer(phase(&KafkaLaneTimes::create));
    KafkaSettings settings = config_.options->settings;
    settings.emplace_back("transactional.id", config_.options->transactional_id_prefix + "-" + config_.lane.text());
    settings.emplace_back("transaction.timeout.ms", "30000");
    MR_ASSIGN(RdConf conf, make_rd_conf(settings));
    rd_kafka_conf_set_opaque(conf.get(), this);
    rd_kafka_conf_set_dr_msg_cb(conf.get(), on_report);
    rd_kafka_conf_set_error_cb(conf.get(), [](rd_kafka_t*, int, const char*, void*) {});
    char text[512];
    handle_.reset(rd_kafka_new(RD_KAFKA_PRODUCER, conf.get(), text, sizeof text));
    if (!handle_) return make_error(ErrorCode::kConnectorOption, std::string("kafka: ") + text);
    (void)conf.release();
    // At once: otherwise the first record waits for a one-second timer that looks unknown topics up.
    MR_ASSIGN(topic_, make_topic(config_.options->topic));
    progress_.reset(rd_kafka_topic_new(handle_.get(), config_.progress->name().c_str(), nullptr));
    return {};
  }

  Result<std::optional<CommitMarker>> last_committed() override {
    MR_TRY(config_.progress->ensure(config_.lane.lanes));
    std::optional<CommitMarker> early;
    if (seeded_bug("marker_before_init")) {
      MR_ASSIGN(early, config_.progress->read(config_.lane.lane, name()));
    }
    MR_TRY(init());
    if (seeded_bug("marker_before_init")) return early;
    const PhaseTimer timer(phase(&KafkaLaneTimes::marker));
    return config_.progress->read(config_.lane.lane, name());
  }

  Status init() {
    const PhaseTimer timer(phase(&KafkaLaneTimes::init));
    for (int attempt = 0;; ++attempt) {
      if (*config_.stopping) return make_error(ErrorCode::kCancelled, "the sink goes away");
      const RdError error(rd_kafka_init_transactions(handle_.get(), kInitMs));
      if (!error) return {};
      if (rd_kafka_error_is_retriable(error.get()) != 0 && attempt < 6) continue;
      return std::unexpected(lane_error(rd_kafka_error_code(error.get()), "kafka transactions of " + name()));
    }
  }

  Status commit(const CommitMarker& marker, const std::string& target, PartRows* rows) override {
    if (target != config_.options->topic) {
      MR_ASSIGN(topic_, make_topic(target));
    }
    MR_TRY(produce_all(marker, rows));
    const PhaseTimer timer(phase(&KafkaLaneTimes::commit));
    if (const RdError error(rd_kafka_commit_transaction(handle_.get(), kCommitMs)); error) {
      return std::unexpected(lane_error(rd_kafka_error_code(error.get()), "kafka commit of " + name()));
    }
    crash_point("commit.sent");
    return {};
  }

 private:
  [[nodiscard]] std::string name() const { return config_.lane.text(); }
  double* phase(double KafkaLaneTimes::* member) const {
    return config_.times != nullptr ? &(config_.times->*member) : nullptr;
  }

  /// Rows and marker in an open transaction, all of them acknowledged.
  Status produce_all(const CommitMarker& marker, PartRows* rows) {
    const PhaseTimer timer(phase(&KafkaLaneTimes::produce));
    if (const RdError error(rd_kafka_begin_transaction(handle_.get())); error) {
      return std::unexpected(lane_error(rd_kafka_error_code(error.get()), "kafka begin of " + name()));
    }
    if (rows != nullptr) MR_TRY(produce_rows(marker, *rows));
    crash_point("commit.produced");
    MR_TRY(produce_marker(marker));
    MR_TRY(flush());
    crash_point("commit.flushed");
    return {};
  }

  Result<RdTopic> make_topic(const std::string& topic) {
    rd_kafka_topic_conf_t* conf = rd_kafka_topic_conf_new();
    char text[512];
    if (rd_kafka_topic_conf_set(conf, "partitioner", config_.options->partitioner.c_str(), text, sizeof text) !=
        RD_KAFKA_CONF_OK) {
      rd_kafka_topic_conf_destroy(conf);
      return make_error(ErrorCode::kConnectorOption, std::string("kafka: ") + text);
    }
    RdTopic made(rd_kafka_topic_new(handle_.get(), topic.c_str(), conf));
    if (!made) return std::unexpected(rd_error(rd_kafka_last_error(), "kafka topic " + topic));
    return made;
  }

  Status produce_rows(const CommitMarker& marker, PartRows& rows) {
    std::string_view row;
    KafkaOutRecord record;
    for (uint64_t index = 0;; ++index) {
      MR_ASSIGN(const bool more, rows.next(row));
      if (!more) return {};
      if (!decode_out_row(row, record))
        return make_error(ErrorCode::kCorruptState, "a row of a segment cannot be read");
      MR_TRY(produce(record, marker, index));
      if (index % kPollRows == 0) rd_kafka_poll(handle_.get(), 0);
      if (failed_) return failure();
    }
  }

  Status produce(const KafkaOutRecord& record, const CommitMarker& marker, uint64_t index) {
    while (true) {
      const auto err = produce_once(record, marker, index);
      if (err == RD_KAFKA_RESP_ERR_NO_ERROR) return {};
      if (err != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
        return std::unexpected(
            lane_error(err, "row " + std::to_string(index) + " for kafka topic " + rd_kafka_topic_name(topic_.get())));
      }
      if (*config_.stopping) return make_error(ErrorCode::kCancelled, "the sink goes away");
      rd_kafka_poll(handle_.get(), 50);
      if (failed_) return failure();
    }
  }

  rd_kafka_resp_err_t produce_once(const KafkaOutRecord& record, const CommitMarker& marker, uint64_t index) {
    void* value = record.has_value ? const_cast<char*>(record.value.data()) : nullptr;
    const void* key = record.has_key ? (record.key.data() != nullptr ? record.key.data() : "") : nullptr;
    void* opaque = reinterpret_cast<void*>(index + 1);  // NOLINT: a number for the delivery report
    if (!config_.options->epoch_headers) {
      return rd_kafka_producev(handle_.get(), RD_KAFKA_V_RKT(topic_.get()), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                               RD_KAFKA_V_VALUE(value, record.value.size()), RD_KAFKA_V_KEY(key, record.key.size()),
                               RD_KAFKA_V_TIMESTAMP(record.timestamp), RD_KAFKA_V_OPAQUE(opaque), RD_KAFKA_V_END);
    }
    const std::string lane = std::to_string(config_.lane.lane);
    const std::string epoch = std::to_string(marker.epoch);
    const std::string part = std::to_string(marker.part);
    const std::string number = std::to_string(index);
    const std::string size = std::to_string(marker.rows);
    return rd_kafka_producev(
        handle_.get(), RD_KAFKA_V_RKT(topic_.get()), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
        RD_KAFKA_V_VALUE(value, record.value.size()), RD_KAFKA_V_KEY(key, record.key.size()),
        RD_KAFKA_V_TIMESTAMP(record.timestamp), RD_KAFKA_V_OPAQUE(opaque),
        RD_KAFKA_V_HEADER("lane", lane.data(), lane.size()), RD_KAFKA_V_HEADER("epoch", epoch.data(), epoch.size()),
        RD_KAFKA_V_HEADER("part", part.data(), part.size()), RD_KAFKA_V_HEADER("index", number.data(), number.size()),
        RD_KAFKA_V_HEADER("size", size.data(), size.size()), RD_KAFKA_V_END);
  }

  Status produce_marker(const CommitMarker& marker) {
    const std::string key = name();
    std::string value = encode_kafka_marker(marker);
    const auto err =
        rd_kafka_producev(handle_.get(), RD_KAFKA_V_RKT(progress_.get()),
                          RD_KAFKA_V_PARTITION(KafkaProgressTopic::partition_of(config_.lane.lane)),
                          RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_VALUE(value.data(), value.size()),
                          RD_KAFKA_V_KEY(key.data(), key.size()), RD_KAFKA_V_END);
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR) return {};
    return std::unexpected(lane_error(err, "kafka progress topic " + config_.progress->name()));
  }

  /// Every delivery report is in, and none of them bad: a clean flush alone proves nothing.
  Status flush() {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(kFlushMs);
    while (rd_kafka_flush(handle_.get(), kSliceMs) != RD_KAFKA_RESP_ERR_NO_ERROR) {
      if (failed_) return failure();
      if (*config_.stopping) return make_error(ErrorCode::kCancelled, "the sink goes away");
      if (std::chrono::steady_clock::now() > deadline) {
        return make_error(ErrorCode::kUnreachable, "kafka " + name() + ": delivery reports are missing");
      }
    }
    if (failed_) return failure();
    return {};
  }

  [[nodiscard]] Status failure() const {
    const std::string row = failed_row_ == 0 ? "the marker" : "row " + std::to_string(failed_row_ - 1);
    return std::unexpected(lane_error(failed_, row + " for kafka topic " + rd_kafka_topic_name(topic_.get())));
  }

  static void on_report(rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
    auto* self = static_cast<KafkaLaneSession*>(opaque);
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR || self->failed_ != RD_KAFKA_RESP_ERR_NO_ERROR) return;
    self->failed_ = message->err;
    self->failed_row_ = reinterpret_cast<uint64_t>(message->_private);  // NOLINT
  }

  KafkaLaneConfig config_;
  RdHandle handle_;
  RdTopic topic_;  // before the handle
  RdTopic progress_;
  rd_kafka_resp_err_t failed_ = RD_KAFKA_RESP_ERR_NO_ERROR;
  uint64_t failed_row_ = 0;
};

}  // namespace

Result<std::unique_ptr<LaneSession>> open_kafka_session(const KafkaLaneConfig& config) {
  auto session = std::make_unique<KafkaLaneSession>(config);
  MR_TRY(session->open());
  return session;
}

}  // namespace millrace
