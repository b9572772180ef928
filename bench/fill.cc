// bench_fill BROKERS TOPIC EVENTS [PARTITIONS=4] [KEYS=10000]: makes the topic when it is absent and fills it with
// bids, round robin over its partitions. Prints one JSON line.
#include <librdkafka/rdkafka.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include "bench/bids.h"

namespace millrace {
namespace {

rd_kafka_t* make_producer(const std::string& brokers) {
  char error[512];
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  const char* settings[][2] = {{"bootstrap.servers", brokers.c_str()},
                               {"linger.ms", "20"},
                               {"batch.size", "1000000"},
                               {"queue.buffering.max.messages", "1000000"},
                               {"acks", "1"}};
  for (const auto& [name, value] : settings) {
    if (rd_kafka_conf_set(conf, name, value, error, sizeof error) != RD_KAFKA_CONF_OK)
      std::fprintf(stderr, "%s\n", error);
  }
  return rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof error);
}

bool create_topic(rd_kafka_t* producer, const std::string& topic, int partitions) {
  char error[512];
  rd_kafka_NewTopic_t* request = rd_kafka_NewTopic_new(topic.c_str(), partitions, 1, error, sizeof error);
  rd_kafka_queue_t* queue = rd_kafka_queue_new(producer);
  rd_kafka_CreateTopics(producer, &request, 1, nullptr, queue);
  rd_kafka_event_t* event = rd_kafka_queue_poll(queue, 15'000);
  const bool ok = event != nullptr && rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR_NO_ERROR;
  if (event != nullptr) rd_kafka_event_destroy(event);
  rd_kafka_NewTopic_destroy(request);
  rd_kafka_queue_destroy(queue);
  return ok;
}

int fill(const std::string& brokers, const std::string& topic, int64_t events, int partitions, uint64_t keys) {
  rd_kafka_t* producer = make_producer(brokers);
  if (producer == nullptr || !create_topic(producer, topic, partitions)) {
    std::fprintf(stderr, "cannot reach %s or create %s\n", brokers.c_str(), topic.c_str());
    return 3;
  }
  rd_kafka_topic_t* handle = rd_kafka_topic_new(producer, topic.c_str(), nullptr);
  BidOptions options;
  options.keys = keys;
  BidGenerator bids(options);
  std::string json;
  int64_t bytes = 0;
  for (int64_t i = 0; i < events; ++i) {
    bids.next(json);
    bytes += static_cast<int64_t>(json.size());
    while (rd_kafka_produce(handle, static_cast<int32_t>(i % partitions), RD_KAFKA_MSG_F_COPY, json.data(), json.size(),
                            nullptr, 0, nullptr) != 0) {
      rd_kafka_poll(producer, 10);
    }
    if (i % 10'000 == 0) rd_kafka_poll(producer, 0);
  }
  const bool flushed = rd_kafka_flush(producer, 60'000) == RD_KAFKA_RESP_ERR_NO_ERROR;
  std::printf("{\"bench\":\"fill\",\"topic\":\"%s\",\"events\":%lld,\"bytes_per_event\":%.1f}\n", topic.c_str(),
              static_cast<long long>(events),
              events > 0 ? static_cast<double>(bytes) / static_cast<double>(events) : 0.0);
  rd_kafka_topic_destroy(handle);
  rd_kafka_destroy(producer);
  return flushed ? 0 : 1;
}

}  // namespace
}  // namespace millrace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fprintf(stderr, "usage: bench_fill BROKERS TOPIC EVENTS [PARTITIONS] [KEYS]\n");
    return 2;
  }
  return millrace::fill(argv[1], argv[2], std::atoll(argv[3]), argc > 4 ? std::atoi(argv[4]) : 4,
                        argc > 5 ? std::strtoull(argv[5], nullptr, 10) : 10'000);
}
