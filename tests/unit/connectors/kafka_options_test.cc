#include "connectors/kafka/options.h"

#include <catch2/catch.hpp>

#include "connectors/kafka/properties.h"
#include "tests/unit/connectors/kafka_fake.h"

namespace millrace {

namespace {

std::vector<std::string> kafka_refusals(const std::string& yaml) {
  Diagnostics diagnostics;
  const auto tree = read_yaml(yaml, diagnostics);
  const ConnectorDescriptor descriptor = kafka_source_descriptor();
  SourceConfig config;
  const OptionValues values = read_options(*tree, descriptor.options, "source `s`", diagnostics);
  descriptor.check_source(values, config, diagnostics);
  std::vector<std::string> messages;
  for (const Diagnostic& one : diagnostics.all()) messages.push_back(one.message);
  return messages;
}

KafkaSourceOptions kafka_source_of(const std::string& yaml) {
  SourceConfig config;
  config.options = kafka_values(kafka_source_descriptor(), yaml);
  return read_kafka_source(config, "millrace-job");
}

}  // namespace

TEST_CASE("kafka properties that load code, run commands or lose data are refused with the reason") {
  CHECK(refuse_kafka_property("plugin.library.paths")->find("load code") != std::string::npos);
  CHECK(refuse_kafka_property("sasl.kerberos.kinit.cmd")->find("run a command") != std::string::npos);
  CHECK(refuse_kafka_property("ssl.engine.location")->find("load code") != std::string::npos);
  CHECK(refuse_kafka_property("auto.offset.reset")->find("on_lost_offset") != std::string::npos);
  CHECK(refuse_kafka_property("some.new.setting"));
  CHECK(refuse_kafka_property("fetch.wait.max.m")->find("`fetch.wait.max.ms`") != std::string::npos);
  CHECK_FALSE(refuse_kafka_property("fetch.wait.max.ms"));
}

TEST_CASE("a refused kafka property is named in the diagnostics") {
  const auto messages = kafka_refusals("{brokers: b, topics: t, properties: {plugin.library.paths: /tmp/x.so}}");
  REQUIRE(messages.size() == 1);
  CHECK(messages[0].find("plugin.library.paths") != std::string::npos);
}

TEST_CASE("kafka start and stop positions are read in all their forms") {
  using Kind = KafkaPosition::Kind;
  CHECK(kafka_source_of("{brokers: b, topics: t}").start.kind == Kind::kEarliest);
  CHECK(kafka_source_of("{brokers: b, topics: t, start_from: latest}").start.kind == Kind::kLatest);
  CHECK(kafka_source_of("{brokers: b, topics: t, group_id: g, start_from: committed}").start.kind == Kind::kCommitted);
  CHECK(kafka_source_of("{brokers: b, topics: t}").stop.kind == Kind::kNone);
  CHECK(kafka_source_of("{brokers: b, topics: t, bounded: latest}").stop.kind == Kind::kLatest);
  const KafkaSourceOptions time =
      kafka_source_of("{brokers: b, topics: t, start_from: {timestamp: 1970-01-01T00:00:05Z}}");
  CHECK(time.start.kind == Kind::kTimestamp);
  CHECK(time.start.timestamp_ms == 5000);
  const KafkaSourceOptions offsets = kafka_source_of("{brokers: b, topics: t, bounded: {offsets: {t: {0: 42, 3: 7}}}}");
  CHECK(offsets.stop.offsets.at({"t", 3}) == 7);
}

TEST_CASE("kafka positions that make no sense are refused") {
  CHECK(kafka_refusals("{brokers: b, topics: t, start_from: newest}").size() == 1);
  CHECK(kafka_refusals("{brokers: b, topics: t, bounded: earliest}").size() == 1);
  CHECK(kafka_refusals("{brokers: b, topics: t, start_from: {offsets: {t: {0: -3}}}}").size() == 1);
  CHECK(kafka_refusals("{brokers: b, topics: t, start_from: committed}").size() == 1);
}

TEST_CASE("kafka sources read committed records and never let the client reset a position") {
  const KafkaSettings settings = kafka_source_of("{brokers: 'a:1', topics: t}").settings;
  CHECK(kafka_setting(settings, "bootstrap.servers") == "a:1");
  CHECK(kafka_setting(settings, "isolation.level") == "read_committed");
  CHECK(kafka_setting(settings, "auto.offset.reset") == "error");
  CHECK(kafka_setting(settings, "enable.auto.commit") == "false");
  CHECK(kafka_setting(settings, "security.protocol") == "plaintext");
}

TEST_CASE("kafka sources fetch less ahead in a small process, and what the job file says in any") {
  SourceConfig config;
  config.options = kafka_values(kafka_source_descriptor(), "{brokers: b, topics: [t], group_id: g}");
  const auto queue = [&](uint64_t memory_bytes) {
    return kafka_setting(read_kafka_source(config, "g", memory_bytes).settings, "queued.max.messages.kbytes");
  };
  CHECK(queue(0) == "16384");
  CHECK(queue(4ULL << 30) == "16384");
  CHECK(queue(256ULL << 20) == "4096");
  CHECK(queue(16ULL << 20) == "1024");
  config.options = kafka_values(kafka_source_descriptor(),
                                "{brokers: b, topics: [t], group_id: g, "
                                "properties: {queued.max.messages.kbytes: 9999}}");
  CHECK(queue(256ULL << 20) == "9999");
}

TEST_CASE("kafka security follows from the fields that are given") {
  const auto protocol = [](const std::string& more) {
    return kafka_setting(kafka_source_of("{brokers: b, topics: t, " + more + "}").settings, "security.protocol");
  };
  CHECK(protocol("tls_ca: ca.pem") == "ssl");
  CHECK(protocol("sasl_mechanism: PLAIN, sasl_username: u, sasl_password: p") == "sasl_plaintext");
  CHECK(protocol("tls_ca: ca.pem, sasl_mechanism: PLAIN, sasl_username: u, sasl_password: p") == "sasl_ssl");
  CHECK(protocol("security: tls") == "ssl");
}

}  // namespace millrace
