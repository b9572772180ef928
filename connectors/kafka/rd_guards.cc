#include "connectors/kafka/rd_guards.h"

#include <librdkafka/rdkafka.h>

#include <charconv>

#include "core/log.h"

namespace millrace {

void RdDelete::operator()(rd_kafka_s* handle) const {
  // Leaving the group costs a round trip, or seconds when nobody answers, and we never joined one.
  rd_kafka_destroy_flags(handle, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
}
void RdDelete::operator()(rd_kafka_conf_s* conf) const { rd_kafka_conf_destroy(conf); }
void RdDelete::operator()(rd_kafka_queue_s* queue) const { rd_kafka_queue_destroy(queue); }
void RdDelete::operator()(rd_kafka_topic_s* topic) const { rd_kafka_topic_destroy(topic); }
void RdDelete::operator()(rd_kafka_topic_partition_list_s* list) const { rd_kafka_topic_partition_list_destroy(list); }
void RdDelete::operator()(rd_kafka_error_s* error) const { rd_kafka_error_destroy(error); }

namespace {

void log_rd_line(const rd_kafka_t* handle, int level, const char* facility, const char* text) {
  const LogLevel ours = level <= 3 ? LogLevel::kWarn : level <= 6 ? LogLevel::kInfo : LogLevel::kDebug;
  log(ours, "kafka client",
      {{"client", handle != nullptr ? rd_kafka_name(handle) : ""}, {"facility", facility}, {"text", text}});
}

}  // namespace

Result<RdConf> make_rd_conf(const KafkaSettings& settings) {
  RdConf conf(rd_kafka_conf_new());
  char text[512];
  for (const auto& [name, value] : settings) {
    if (rd_kafka_conf_set(conf.get(), name.c_str(), value.c_str(), text, sizeof text) != RD_KAFKA_CONF_OK) {
      return make_error(ErrorCode::kConnectorOption, std::string("kafka: ") + text);
    }
  }
  rd_kafka_conf_set_log_cb(conf.get(), log_rd_line);
  return conf;
}

bool rd_recovers(int err) {
  switch (err) {
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
    case RD_KAFKA_RESP_ERR__RESOLVE:
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE:
    case RD_KAFKA_RESP_ERR__WAIT_COORD:
    case RD_KAFKA_RESP_ERR__WAIT_CACHE:
    case RD_KAFKA_RESP_ERR__NODE_UPDATE:
    case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION:
    case RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
    case RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION:
    case RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS:
    case RD_KAFKA_RESP_ERR_NOT_COORDINATOR:
    case RD_KAFKA_RESP_ERR_OFFSET_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH:
    case RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH:
      return true;
    default:
      return false;
  }
}

Error rd_error(int err, std::string what) {
  const auto code = static_cast<rd_kafka_resp_err_t>(err);
  what += ": ";
  what += rd_kafka_err2str(code);
  switch (code) {
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
      return {ErrorCode::kMissingTopic, std::move(what), "create the topic, or correct its name"};
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
    case RD_KAFKA_RESP_ERR__RESOLVE:
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
      return {ErrorCode::kUnreachable, std::move(what), {}};
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
      return {ErrorCode::kOutputRefused, std::move(what),
              "raise max.message.bytes of the topic, or lower message.max.bytes in `properties:`"};
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR__SSL:
      return {ErrorCode::kExternalRefused, std::move(what), "check the credentials and what they allow"};
    case RD_KAFKA_RESP_ERR__INVALID_ARG:
      return {ErrorCode::kConnectorOption, std::move(what), {}};
    default:
      return {ErrorCode::kExternalFailed, std::move(what), {}};
  }
}

std::optional<KafkaPartition> KafkaPartition::parse(std::string_view split) {
  const size_t slash = split.rfind('/');
  if (slash == std::string_view::npos || slash == 0) return std::nullopt;
  KafkaPartition parsed{std::string(split.substr(0, slash)), 0};
  const std::string_view digits = split.substr(slash + 1);
  const auto [end, status] = std::from_chars(digits.data(), digits.data() + digits.size(), parsed.partition);
  if (status != std::errc{} || end != digits.data() + digits.size() || parsed.partition < 0) return std::nullopt;
  return parsed;
}

}  // namespace millrace
