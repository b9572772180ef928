#include "connectors/kafka/properties.h"

#include <array>

#include "core/nearest.h"

namespace millrace {

namespace {

struct Refused {
  std::string_view name;
  std::string_view reason;
};

constexpr std::array kAllowed = std::to_array<std::string_view>({
    "batch.num.messages",
    "batch.size",
    "broker.address.family",
    "broker.address.ttl",
    "check.crcs",
    "client.dns.lookup",
    "client.id",
    "client.rack",
    "compression.level",
    "connections.max.idle.ms",
    "debug",
    "fetch.error.backoff.ms",
    "fetch.max.bytes",
    "fetch.message.max.bytes",
    "fetch.min.bytes",
    "fetch.wait.max.ms",
    "isolation.level",
    "linger.ms",
    "log_level",
    "max.in.flight.requests.per.connection",
    "max.partition.fetch.bytes",
    "message.copy.max.bytes",
    "message.max.bytes",
    "message.timeout.ms",
    "metadata.max.age.ms",
    "queued.max.messages.kbytes",
    "queued.min.messages",
    "receive.message.max.bytes",
    "reconnect.backoff.max.ms",
    "reconnect.backoff.ms",
    "request.timeout.ms",
    "retry.backoff.ms",
    "security.protocol",
    "socket.connection.setup.timeout.ms",
    "socket.keepalive.enable",
    "socket.max.fails",
    "socket.nagle.disable",
    "socket.receive.buffer.bytes",
    "socket.send.buffer.bytes",
    "socket.timeout.ms",
    "ssl.ca.location",
    "ssl.certificate.location",
    "ssl.cipher.suites",
    "ssl.crl.location",
    "ssl.curves.list",
    "ssl.endpoint.identification.algorithm",
    "ssl.key.location",
    "ssl.sigalgs.list",
    "enable.ssl.certificate.verification",
    "topic.metadata.refresh.interval.ms",
});

constexpr std::array kRefused = std::to_array<Refused>({
    {"acks", "the sink always waits for all in-sync replicas"},
    {"allow.auto.create.topics", "Millrace never creates input topics"},
    {"auto.offset.reset", "it can lose data in silence; use `on_lost_offset` and `start_from`"},
    {"bootstrap.servers", "use `brokers`"},
    {"compression.codec", "use `compression`"},
    {"compression.type", "use `compression`"},
    {"enable.auto.commit", "positions live in checkpoints; group offsets follow them"},
    {"enable.auto.offset.store", "positions live in checkpoints; group offsets follow them"},
    {"enable.idempotence", "the sink is always idempotent"},
    {"enable.partition.eof", "Millrace needs it"},
    {"group.id", "use `group_id`"},
    {"metadata.broker.list", "use `brokers`"},
    {"partitioner", "use `partitioner`"},
    {"plugin.library.paths", "it would load code into the process"},
    {"sasl.kerberos.keytab", "it becomes part of a shell command; Kerberos is not supported"},
    {"sasl.kerberos.kinit.cmd", "it would run a command"},
    {"sasl.kerberos.principal", "it becomes part of a shell command; Kerberos is not supported"},
    {"sasl.mechanism", "use `sasl_mechanism`"},
    {"sasl.mechanisms", "use `sasl_mechanism`"},
    {"sasl.oauthbearer.config", "OAUTHBEARER is not supported"},
    {"sasl.password", "use `sasl_password`, best through `secrets:`"},
    {"sasl.username", "use `sasl_username`"},
    {"ssl.engine.id", "it would load code into the process"},
    {"ssl.engine.location", "it would load code into the process"},
    {"ssl.key.password", "use `tls_key_password`, best through `secrets:`"},
    {"ssl.key.pem", "a key in the job file would be shown with it; use `tls_key`, a path"},
    {"ssl.keystore.password", "key stores are not supported; use `tls_certificate` and `tls_key`"},
    {"ssl.providers", "it would load code into the process"},
    {"transactional.id", "Millrace names its transactions itself"},
});

}  // namespace

std::optional<std::string> refuse_kafka_property(std::string_view name) {
  for (const std::string_view allowed : kAllowed)
    if (allowed == name) return std::nullopt;
  for (const Refused& refused : kRefused)
    if (refused.name == name) return std::string(refused.reason);
  const std::string near = nearest_name(name, kAllowed);
  return near.empty() ? std::string("it is not on the list of allowed librdkafka settings")
                      : "it is not on the list of allowed librdkafka settings; did you mean `" + near + "`?";
}

}  // namespace millrace
