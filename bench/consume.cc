// bench_consume BROKERS TOPIC PARTITIONS: a bare librdkafka consumer at the settings that were best for it (callback,
// 256 KiB fetches, checksums on). The yardstick next to which Millrace's Kafka benches are printed.
#include <librdkafka/rdkafka.h>
#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

struct Count {
  long long events = 0;
  long long bytes = 0;
  int ended = 0;
};

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
}

void on_message(rd_kafka_message_t* message, void* opaque) {
  auto* count = static_cast<Count*>(opaque);
  if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
    ++count->ended;
  } else if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
    ++count->events;
    count->bytes += static_cast<long long>(message->len);
  }
}

rd_kafka_t* make_consumer(const char* brokers) {
  char error[512];
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  const char* settings[][2] = {{"bootstrap.servers", brokers},  {"group.id", "bench"},
                               {"enable.auto.commit", "false"}, {"enable.partition.eof", "true"},
                               {"check.crcs", "true"},          {"max.partition.fetch.bytes", "262144"},
                               {"fetch.max.bytes", "1048576"},  {"queued.min.messages", "100000"}};
  for (const auto& [name, value] : settings) rd_kafka_conf_set(conf, name, value, error, sizeof error);
  return rd_kafka_new(RD_KAFKA_CONSUMER, conf, error, sizeof error);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fprintf(stderr, "usage: bench_consume BROKERS TOPIC PARTITIONS\n");
    return 2;
  }
  const int partitions = std::atoi(argv[3]);
  rd_kafka_t* consumer = make_consumer(argv[1]);
  if (consumer == nullptr) return 3;
  rd_kafka_topic_t* topic = rd_kafka_topic_new(consumer, argv[2], nullptr);
  rd_kafka_queue_t* queue = rd_kafka_queue_new(consumer);
  const auto start = std::chrono::steady_clock::now();
  for (int p = 0; p < partitions; ++p) rd_kafka_consume_start_queue(topic, p, RD_KAFKA_OFFSET_BEGINNING, queue);
  Count count;
  while (count.ended < partitions) rd_kafka_consume_callback_queue(queue, 100, on_message, &count);
  const double wall = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const double cpu = cpu_seconds();
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  std::printf(
      "{\"bench\":\"bare-consumer\",\"events\":%lld,\"wall_s\":%.3f,\"cpu_s\":%.3f,\"events_per_cpu_s\":%.0f,"
      "\"peak_rss_mb\":%.1f}\n",
      count.events, wall, cpu, static_cast<double>(count.events) / cpu, static_cast<double>(usage.ru_maxrss) / 1024);
  std::fflush(stdout);
  std::_Exit(0);
}
