// Ownership of librdkafka's objects, and its errors as ours. Included by the .cc files of this folder only, with
// librdkafka's names declared instead of included so that the header stays light.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "connectors/kafka/client.h"
#include "core/status.h"

struct rd_kafka_s;
struct rd_kafka_conf_s;
struct rd_kafka_queue_s;
struct rd_kafka_topic_s;
struct rd_kafka_topic_partition_list_s;
struct rd_kafka_error_s;

namespace millrace {

struct RdDelete {
  void operator()(rd_kafka_s* handle) const;
  void operator()(rd_kafka_conf_s* conf) const;
  void operator()(rd_kafka_queue_s* queue) const;
  void operator()(rd_kafka_topic_s* topic) const;
  void operator()(rd_kafka_topic_partition_list_s* list) const;
  void operator()(rd_kafka_error_s* error) const;
};
using RdHandle = std::unique_ptr<rd_kafka_s, RdDelete>;
using RdConf = std::unique_ptr<rd_kafka_conf_s, RdDelete>;
using RdQueue = std::unique_ptr<rd_kafka_queue_s, RdDelete>;
using RdTopic = std::unique_ptr<rd_kafka_topic_s, RdDelete>;
using RdList = std::unique_ptr<rd_kafka_topic_partition_list_s, RdDelete>;
using RdError = std::unique_ptr<rd_kafka_error_s, RdDelete>;

/// A configuration with our logging in it; the settings come in order, later ones win.
Result<RdConf> make_rd_conf(const KafkaSettings& settings);

/// The error for a rd_kafka_resp_err_t: "what: librdkafka's words".
Error rd_error(int err, std::string what);
/// Whether the client recovers from it by itself (connections, elections); those are logged and counted only.
bool rd_recovers(int err);

}  // namespace millrace
