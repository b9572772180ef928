#include "connectors/kafka/options.h"

#include "connectors/kafka/properties.h"
#include "data/datetime.h"
#include "data/number_text.h"

namespace millrace {

namespace {

OptionDescriptor text_option(std::string name, std::string help, std::string example = {}) {
  OptionDescriptor option;
  option.name = std::move(name);
  option.help = std::move(help);
  option.example = std::move(example);
  return option;
}

OptionDescriptor option_of(OptionKind kind, std::string name, std::string help, std::string example = {}) {
  OptionDescriptor option = text_option(std::move(name), std::move(help), std::move(example));
  option.kind = kind;
  return option;
}

OptionDescriptor choice_option(std::string name, std::vector<std::string> choices, std::string otherwise,
                               std::string help) {
  OptionDescriptor option = option_of(OptionKind::kChoice, std::move(name), std::move(help));
  option.choices = std::move(choices);
  if (!otherwise.empty()) option.default_text = std::move(otherwise);
  return option;
}

/// Brokers, security and properties: the same for both ends.
std::vector<OptionDescriptor> connection_options() {
  std::vector<OptionDescriptor> options;
  OptionDescriptor brokers = text_option("brokers", "addresses of some brokers, comma separated", "localhost:9092");
  brokers.required = true;
  options.push_back(std::move(brokers));
  options.push_back(choice_option("security", {"plaintext", "tls", "sasl_plaintext", "sasl_tls"}, "",
                                  "how to connect; without it tls and sasl follow from the other fields"));
  options.push_back(text_option("tls_ca", "file with the certificates to trust (PEM)", "/etc/ssl/kafka-ca.pem"));
  options.push_back(text_option("tls_certificate", "file with the client's certificate (PEM)"));
  options.push_back(text_option("tls_key", "file with the client's private key (PEM)"));
  options.push_back(text_option("tls_key_password", "password of the private key; best through `secrets:`"));
  options.back().secret = true;
  options.push_back(choice_option("sasl_mechanism", {"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"}, "", "how to log in"));
  options.push_back(text_option("sasl_username", "who logs in"));
  options.push_back(text_option("sasl_password", "its password; best through `secrets:`"));
  options.back().secret = true;
  options.push_back(option_of(OptionKind::kTree, "properties", "settings for librdkafka, from an allow-list",
                              "{client.id: fraud, fetch.wait.max.ms: 50}"));
  return options;
}

void check_connection(const OptionValues& values, Diagnostics& diagnostics) {
  const Located& properties = values.located("properties");
  if (properties.kind != Located::Kind::kNull && properties.kind != Located::Kind::kMap) {
    diagnostics.error(ErrorCode::kWrongShape, properties.position, "`properties` needs a mapping of setting to value");
  }
  for (const Located::Entry& entry : properties.entries) {
    const int length = static_cast<int>(entry.key.size());
    if (const auto reason = refuse_kafka_property(entry.key)) {
      diagnostics.error(ErrorCode::kConnectorOption, entry.key_position,
                        "the kafka property `" + entry.key + "` is refused: " + *reason, {}, length);
    } else if (!entry.value.is_scalar()) {
      diagnostics.error(ErrorCode::kWrongShape, entry.value.position, "`" + entry.key + "` needs a single value");
    }
  }
  if (values.has("sasl_mechanism") != values.has("sasl_username")) {
    const Located& at = values.located(values.has("sasl_username") ? "sasl_username" : "sasl_mechanism");
    diagnostics.error(ErrorCode::kConnectorOption, at.position,
                      "`sasl_mechanism`, `sasl_username` and `sasl_password` belong together");
  }
}

KafkaSettings connection_settings(const OptionValues& values) {
  const bool tls = values.has("tls_ca") || values.has("tls_certificate");
  const bool sasl = values.has("sasl_mechanism");
  std::string protocol = tls ? (sasl ? "sasl_ssl" : "ssl") : (sasl ? "sasl_plaintext" : "plaintext");
  if (const std::string wish = values.text("security"); !wish.empty())
    protocol = wish == "tls" ? "ssl" : wish == "sasl_tls" ? "sasl_ssl" : wish;
  KafkaSettings settings{{"bootstrap.servers", values.text("brokers")},
                         {"client.id", "millrace"},
                         {"security.protocol", protocol},
                         {"socket.keepalive.enable", "true"},
                         {"socket.nagle.disable", "true"},
                         {"reconnect.backoff.max.ms", "2000"},
                         {"log.connection.close", "false"}};
  constexpr std::pair<const char*, const char*> kFields[] = {
      {"tls_ca", "ssl.ca.location"},        {"tls_certificate", "ssl.certificate.location"},
      {"tls_key", "ssl.key.location"},      {"tls_key_password", "ssl.key.password"},
      {"sasl_mechanism", "sasl.mechanism"}, {"sasl_username", "sasl.username"},
      {"sasl_password", "sasl.password"},
  };
  for (const auto& [field, setting] : kFields)
    if (values.has(field)) settings.emplace_back(setting, values.text(field));
  return settings;
}

void append_properties(const OptionValues& values, KafkaSettings& settings) {
  for (const Located::Entry& entry : values.located("properties").entries)
    settings.emplace_back(entry.key, entry.value.text);
}

std::optional<int64_t> read_time(const Located& value) {
  if (const auto number = parse_int64(value.text)) return number;
  std::string text = value.text;
  if (text.ends_with('Z')) text.pop_back();
  if (text.size() > 10 && text[10] == 'T') text[10] = ' ';
  return parse_timestamp(text);
}

/// {topic: {partition: offset}}
std::optional<std::string> read_offsets(const Located& tree, KafkaPosition& out) {
  if (tree.kind != Located::Kind::kMap) return "needs {topic: {partition: offset}}";
  for (const Located::Entry& topic : tree.entries) {
    if (topic.value.kind != Located::Kind::kMap) return "needs {topic: {partition: offset}}";
    for (const Located::Entry& entry : topic.value.entries) {
      const auto partition = parse_int64(entry.key);
      const auto offset = parse_int64(entry.value.text);
      if (!partition || *partition < 0 || *partition > INT32_MAX || !offset || *offset < 0)
        return "needs whole numbers of at least 0 for partition and offset";
      out.offsets[{topic.key, static_cast<int32_t>(*partition)}] = *offset;
    }
  }
  out.kind = KafkaPosition::Kind::kOffsets;
  return std::nullopt;
}

/// `words` are the rules that may stand as a plain word. Answers what is wrong.
std::optional<std::string> read_position(const Located& value, bool start, KafkaPosition& out) {
  using Kind = KafkaPosition::Kind;
  if (value.kind == Located::Kind::kNull) return std::nullopt;
  if (value.is_scalar()) {
    if (value.text == "latest") return out.kind = Kind::kLatest, std::nullopt;
    if (start && value.text == "earliest") return out.kind = Kind::kEarliest, std::nullopt;
    if (start && value.text == "committed") return out.kind = Kind::kCommitted, std::nullopt;
  } else if (value.kind == Located::Kind::kMap && value.entries.size() == 1) {
    const Located::Entry& entry = value.entries.front();
    if (entry.key == "offsets") return read_offsets(entry.value, out);
    const auto time = entry.key == "timestamp" && entry.value.is_scalar() ? read_time(entry.value) : std::nullopt;
    if (time) {
      out.kind = Kind::kTimestamp;
      out.timestamp_ms = *time;
      return std::nullopt;
    }
    if (entry.key == "timestamp") return "`timestamp` needs epoch milliseconds or a time such as 2026-01-31T08:00:00Z";
  }
  return start ? "needs earliest, latest, committed, {timestamp: ..} or {offsets: {topic: {0: 42}}}"
               : "needs latest, {timestamp: ..} or {offsets: {topic: {0: 42}}}";
}

void check_position(const OptionValues& values, const char* name, bool start, Diagnostics& diagnostics) {
  KafkaPosition position;
  if (const auto wrong = read_position(values.located(name), start, position)) {
    diagnostics.error(ErrorCode::kBadValue, values.located(name).position, std::string("`") + name + "` " + *wrong);
  }
}

void check_source(const OptionValues& values, SourceConfig& config, Diagnostics& diagnostics) {
  check_connection(values, diagnostics);
  check_position(values, "start_from", true, diagnostics);
  check_position(values, "bounded", false, diagnostics);
  config.bounded = values.located("bounded").kind != Located::Kind::kNull;
  KafkaPosition start;
  if (!read_position(values.located("start_from"), true, start) && start.kind == KafkaPosition::Kind::kCommitted &&
      !values.has("group_id")) {
    diagnostics.error(ErrorCode::kConnectorOption, values.located("start_from").position,
                      "`start_from: committed` needs a `group_id`");
  }
}

void check_sink(const OptionValues& values, SinkConfig& config, Diagnostics& diagnostics) {
  check_connection(values, diagnostics);
  if (values.located("headers").kind != Located::Kind::kNull && config.delivery != Delivery::kExactlyOnce) {
    diagnostics.error(ErrorCode::kConnectorOption, values.located("headers").position,
                      "`headers: {epoch: true}` needs `delivery: exactly_once`");
  }
}

}  // namespace

ConnectorDescriptor kafka_source_descriptor() {
  ConnectorDescriptor descriptor;
  descriptor.name = "kafka";
  descriptor.help = "records of Kafka topics; positions live in checkpoints";
  descriptor.options = connection_options();
  OptionDescriptor topics = option_of(OptionKind::kTextList, "topics", "one topic or a list", "[user_events]");
  topics.required = true;
  descriptor.options.push_back(std::move(topics));
  descriptor.options.push_back(
      text_option("group_id", "consumer group whose offsets follow the checkpoints, for monitoring", "fraud-alerts"));
  descriptor.options.push_back(
      option_of(OptionKind::kTree, "start_from",
                "where a fresh start begins: earliest (default), latest, committed (earliest where nothing is), "
                "{timestamp: ..} or {offsets: {topic: {0: 42}}}",
                "latest"));
  descriptor.options.push_back(option_of(OptionKind::kTree, "bounded",
                                         "end the job at a position fixed at the first start: latest, "
                                         "{timestamp: ..} or {offsets: {topic: {0: 42}}}",
                                         "latest"));
  descriptor.options.push_back(choice_option("on_lost_offset", {"fail", "earliest", "latest"}, "fail",
                                             "what to do when the wanted position is not in the log any more"));
  descriptor.metadata_columns = {"topic", "partition", "offset", "timestamp", "key", "headers"};
  descriptor.check_source = check_source;
  return descriptor;
}

ConnectorDescriptor kafka_sink_descriptor() {
  ConnectorDescriptor descriptor;
  descriptor.name = "kafka";
  descriptor.help = "one record per row; deletes become tombstones";
  descriptor.options = connection_options();
  OptionDescriptor topic = text_option("topic", "where the rows go", "fraud_alerts");
  topic.required = true;
  descriptor.options.push_back(std::move(topic));
  descriptor.options.push_back(
      choice_option("timestamp", {"now", "event_time"}, "now", "the timestamp of the records"));
  descriptor.options.push_back(choice_option(
      "partitioner", {"murmur2_random", "murmur2", "consistent_random", "consistent", "random", "fnv1a_random"},
      "murmur2_random", "how keys choose partitions; the default agrees with Java clients"));
  descriptor.options.push_back(choice_option("compression", {"lz4", "zstd", "snappy", "gzip", "none"}, "lz4",
                                             "how batches of records are compressed"));
  descriptor.options.push_back(
      option_of(OptionKind::kTree, "headers", "{epoch: true} adds lane, epoch, index and size", "{epoch: true}"));
  OptionDescriptor prefix = text_option("transactional_id_prefix",
                                        "exactly_once: begins every transactional id, for "
                                        "access rules");
  prefix.default_text = "millrace";
  descriptor.options.push_back(std::move(prefix));
  OptionDescriptor progress = text_option("progress_topic_prefix",
                                          "exactly_once: begins the name of the topic with the commit markers, "
                                          "<prefix>-<job id>-<sink>");
  progress.default_text = "millrace-progress";
  descriptor.options.push_back(std::move(progress));
  descriptor.deliveries = {Delivery::kAtLeastOnce, Delivery::kExactlyOnce, Delivery::kNone};
  descriptor.needs_key_for_updates = true;
  descriptor.check_sink = check_sink;
  return descriptor;
}

namespace {

/// Of the most that is fetched ahead, which a process with a gigabyte and more may do.
uint64_t fetch_share(uint64_t most, uint64_t least, uint64_t memory_bytes) {
  constexpr uint64_t kPlenty = 1ULL << 30;
  if (memory_bytes == 0 || memory_bytes >= kPlenty) return most;
  return std::max(least, most * (memory_bytes >> 20) / (kPlenty >> 20));
}

}  // namespace

KafkaSourceOptions read_kafka_source(const SourceConfig& config, const std::string& group, uint64_t memory_bytes) {
  const OptionValues& values = config.options;
  KafkaSourceOptions options;
  options.topics = values.texts("topics");
  options.group_id = values.text("group_id");
  read_position(values.located("start_from"), true, options.start);
  if (options.start.kind == KafkaPosition::Kind::kNone) options.start.kind = KafkaPosition::Kind::kEarliest;
  read_position(values.located("bounded"), false, options.stop);
  const std::string lost = values.text("on_lost_offset");
  options.on_lost_offset = lost == "earliest" ? KafkaLostOffset::kEarliest
                           : lost == "latest" ? KafkaLostOffset::kLatest
                                              : KafkaLostOffset::kFail;
  options.discover_every_ms = config.discover_every_ms;
  options.settings = connection_settings(values);
  const KafkaSettings ours{{"group.id", options.group_id.empty() ? group : options.group_id},
                           {"enable.auto.commit", "false"},
                           {"enable.auto.offset.store", "false"},
                           {"enable.partition.eof", "true"},
                           {"auto.offset.reset", "error"},
                           {"allow.auto.create.topics", "false"},
                           {"isolation.level", "read_committed"},
                           {"check.crcs", "true"},
                           {"max.partition.fetch.bytes", "262144"},
                           {"fetch.max.bytes", "1048576"},
                           {"fetch.wait.max.ms", "20"},
                           {"fetch.error.backoff.ms", "50"},
                           {"queued.min.messages", std::to_string(fetch_share(20'000, 1000, memory_bytes))},
                           {"queued.max.messages.kbytes", std::to_string(fetch_share(16'384, 1024, memory_bytes))}};
  options.settings.insert(options.settings.end(), ours.begin(), ours.end());
  append_properties(values, options.settings);
  return options;
}

std::string kafka_setting(const KafkaSettings& settings, std::string_view name) {
  std::string value;
  for (const auto& [key, text] : settings)
    if (key == name) value = text;
  return value;
}

KafkaSinkOptions read_kafka_sink(const OptionValues& values) {
  KafkaSinkOptions options;
  options.topic = values.text("topic");
  options.partitioner = values.text("partitioner");
  options.event_time_stamps = values.text("timestamp") == "event_time";
  options.epoch_headers = values.located("headers").kind == Located::Kind::kMap;
  options.transactional_id_prefix = values.text("transactional_id_prefix");
  options.progress_topic_prefix = values.text("progress_topic_prefix");
  options.connection = connection_settings(values);
  options.settings = options.connection;
  const KafkaSettings ours{{"acks", "all"},
                           {"enable.idempotence", "true"},
                           {"compression.type", values.text("compression")},
                           {"linger.ms", "1"},
                           {"topic.metadata.propagation.max.ms", "5000"},
                           {"queue.buffering.max.messages", "0"},
                           {"queue.buffering.max.kbytes", "262144"}};
  options.settings.insert(options.settings.end(), ours.begin(), ours.end());
  append_properties(values, options.settings);
  return options;
}

}  // namespace millrace
