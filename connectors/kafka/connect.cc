#include "connectors/kafka/connect.h"

#include "connectors/kafka/client.h"
#include "connectors/kafka/options.h"
#include "core/waker.h"

namespace millrace {

namespace {

constexpr int kConnectTimeoutMs = 5'000;

Status ask_for_topics(const KafkaSettings& settings, const std::vector<std::string>& topics) {
  Waker waker;
  MR_ASSIGN(const KafkaConsumerClientPtr client, make_rd_consumer(settings, false, &waker, [] {}));
  const auto found = client->partitions(topics, kConnectTimeoutMs);
  // What the client noticed by itself, such as a refused login, says more than a call that timed out.
  if (std::optional<Error> error = client->take_error()) return std::unexpected(std::move(*error));
  if (!found) {
    const Error& error = found.error();
    if (error.code != ErrorCode::kUnreachable) return std::unexpected(error);
    return make_error(error.code, "no answer from brokers " + std::string(kafka_setting(settings, "bootstrap.servers")),
                      "check `brokers`, and that the host can be reached from here");
  }
  return {};
}

}  // namespace

Status try_kafka_source(const OptionValues& values) {
  SourceConfig config;
  config.options = values;
  const KafkaSourceOptions options = read_kafka_source(config, "millrace-validate");
  return ask_for_topics(options.settings, options.topics);
}

Status try_kafka_sink(const OptionValues& values) {
  const KafkaSinkOptions options = read_kafka_sink(values);
  KafkaSettings settings;  // those of a producer alone would be refused by a consumer's handle
  for (const auto& [name, value] : options.settings) {
    if (name == "bootstrap.servers" || name == "client.id" || name == "security.protocol" ||
        name.starts_with("sasl.") || name.starts_with("ssl.") || name.starts_with("enable.ssl.") ||
        name.starts_with("socket.")) {
      settings.emplace_back(name, value);
    }
  }
  settings.emplace_back("group.id", "millrace-validate");
  return ask_for_topics(settings, {options.topic});
}

}  // namespace millrace
