// bench_latency produce BROKERS TOPIC RATE SECONDS: sends JSON events at a fixed rate, each with its scheduled send
// time
// (`at`, microseconds since the epoch) in it. bench_latency measure BROKERS TOPIC EVENTS: reads that many events from
// the end and prints the latency from `at` to here as one JSON line.
#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

namespace {

long long now_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

rd_kafka_t* make_client(rd_kafka_type_t type, std::vector<std::pair<const char*, const char*>> settings) {
  char error[512];
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  for (const auto& [name, value] : settings) {
    if (rd_kafka_conf_set(conf, name, value, error, sizeof error) != RD_KAFKA_CONF_OK)
      std::fprintf(stderr, "%s\n", error);
  }
  return rd_kafka_new(type, conf, error, sizeof error);
}

// One request in flight: what is sent meanwhile goes out together, so a slow broker does not fall behind.
int produce(const char* brokers, const char* topic_name, long long rate, long long seconds) {
  rd_kafka_t* producer = make_client(
      RD_KAFKA_PRODUCER, {{"bootstrap.servers", brokers}, {"linger.ms", "0"}, {"acks", "1"}, {"max.in.flight", "1"}});
  rd_kafka_topic_t* topic = rd_kafka_topic_new(producer, topic_name, nullptr);
  const long long start = now_us();
  for (long long i = 0; i < rate * seconds; ++i) {
    const long long at = start + i * 1'000'000 / rate;
    const long long wait = at - now_us();
    if (wait > 0) std::this_thread::sleep_for(std::chrono::microseconds(wait));
    char text[128];
    const int size =
        std::snprintf(text, sizeof text, "{\"at\":%lld,\"n\":%lld,\"kind\":\"%s\"}", at, i, i % 2 ? "b" : "a");
    rd_kafka_produce(topic, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY, text, static_cast<size_t>(size), nullptr, 0,
                     nullptr);
    rd_kafka_poll(producer, 0);
  }
  rd_kafka_flush(producer, 10'000);
  return 0;
}

int measure(const char* brokers, const char* topic_name, size_t events) {
  rd_kafka_t* consumer = make_client(RD_KAFKA_CONSUMER, {{"bootstrap.servers", brokers},
                                                         {"group.id", "latency"},
                                                         {"enable.auto.commit", "false"},
                                                         {"fetch.wait.max.ms", "100"},
                                                         {"enable.partition.eof", "true"}});
  rd_kafka_topic_t* topic = rd_kafka_topic_new(consumer, topic_name, nullptr);
  rd_kafka_consume_start(topic, 0, RD_KAFKA_OFFSET_END);
  std::vector<double> ms;
  bool ready = false;
  const long long give_up = now_us() + 90'000'000;
  while (ms.size() < events && now_us() < give_up) {
    rd_kafka_message_t* message = rd_kafka_consume(topic, 0, 1'000);
    if (message == nullptr) continue;
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF && !ready) {
      ready = true;
      std::fprintf(stderr, "ready\n");
    } else if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
      const std::string text(static_cast<const char*>(message->payload), message->len);
      const size_t at = text.find("\"at\":");
      if (at != std::string::npos)
        ms.push_back(static_cast<double>(now_us() - std::atoll(text.c_str() + at + 5)) / 1000);
    }
    rd_kafka_message_destroy(message);
  }
  if (ms.size() > events / 10) ms.erase(ms.begin(), ms.begin() + static_cast<long>(events / 10));  // warm-up
  std::sort(ms.begin(), ms.end());
  if (ms.empty()) return 1;
  std::printf("{\"topic\":\"%s\",\"events\":%zu,\"p50_ms\":%.2f,\"p99_ms\":%.2f,\"max_ms\":%.2f}\n", topic_name,
              ms.size(), ms[ms.size() / 2], ms[ms.size() * 99 / 100], ms.back());
  std::fflush(stdout);
  std::_Exit(0);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc >= 6 && std::strcmp(argv[1], "produce") == 0) {
    return produce(argv[2], argv[3], std::atoll(argv[4]), std::atoll(argv[5]));
  }
  if (argc >= 5 && std::strcmp(argv[1], "measure") == 0)
    return measure(argv[2], argv[3], std::strtoull(argv[4], nullptr, 10));
  std::fprintf(stderr, "usage: bench_latency produce BROKERS TOPIC RATE SECONDS | measure BROKERS TOPIC EVENTS\n");
  return 2;
}
