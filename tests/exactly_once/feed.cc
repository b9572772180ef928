// millrace_feed BROKERS TOPIC RATE SEED EXPECTED: events of the example job `fraud-alerts` into a topic at RATE a
// second until SIGTERM, and what they must come to, as JSON lines in the file EXPECTED, calculated here without
// Millrace.
//
// Users stay on one partition. The n-th purchase of a user has the amount n/100, so that a lost, repeated or moved row
// shows. Event time runs 20 times as fast as the clock, up to 3 s out of order (the job waits for 5). Every 9973rd
// record is no JSON. At the end an event far ahead on every partition closes all windows.
#include <librdkafka/rdkafka.h>
#include <signal.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/random.h"

namespace {

constexpr int64_t kStart = 1'700'000'040'000;  // the beginning of a minute, in ms
constexpr int64_t kWindow = 60'000;
constexpr int64_t kSpeed = 20;
constexpr uint64_t kUsers = 1000;
std::atomic<bool> ending{false};

struct Window {
  int64_t purchases = 0;
  int64_t cents = 0;
};

class Feed {
 public:
  Feed(const char* brokers, std::string topic, uint64_t seed) : topic_(std::move(topic)), random_(seed) {
    char error[512];
    rd_kafka_conf_t* conf = rd_kafka_conf_new();
    const char* settings[][2] = {{"bootstrap.servers", brokers},
                                 {"enable.idempotence", "true"},
                                 {"linger.ms", "5"},
                                 {"compression.type", "lz4"},
                                 {"message.timeout.ms", "0"},
                                 {"queue.buffering.max.messages", "5000000"},
                                 {"queue.buffering.max.kbytes", "2000000"}};
    for (const auto& [name, value] : settings)
      if (rd_kafka_conf_set(conf, name, value, error, sizeof error) != RD_KAFKA_CONF_OK) fail(error);
    rd_kafka_conf_set_dr_msg_cb(conf, [](rd_kafka_t*, const rd_kafka_message_t* message, void*) {
      if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) fail(rd_kafka_err2str(message->err));
    });
    producer_ = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof error);
    if (producer_ == nullptr) fail(error);
    partitions_ = partitions();
  }

  [[noreturn]] static void fail(const char* what) {
    std::fprintf(stderr, "error: %s\n", what);
    std::_Exit(1);
  }

  void event(int64_t now) {
    if (++events_ % 9973 == 0) return send(static_cast<int32_t>(random_.below(partitions_)), "{no JSON");
    const uint64_t user = random_.below(kUsers);
    const int64_t time = now - static_cast<int64_t>(random_.below(3000));
    const bool buys = random_.below(8) == 0;
    int64_t cents = 0;
    if (buys) {
      cents = ++purchases_[user];
      Window& window = windows_[{user, time / kWindow * kWindow}];
      ++window.purchases;
      window.cents += cents;
    }
    send_event(user, buys ? "purchase" : "click", cents, time);
  }

  void close_windows(int64_t now) {
    for (uint64_t user = 0; user < partitions_; ++user) send_event(user, "click", 0, now + 10 * kWindow);
    if (rd_kafka_flush(producer_, 120'000) != RD_KAFKA_RESP_ERR_NO_ERROR) fail("not everything was delivered");
  }

  void write_expected(const char* path) const {
    std::FILE* file = std::fopen(path, "w");
    if (file == nullptr) fail("the file of the expected rows cannot be opened");
    for (const auto& [user, count] : purchases_)
      std::fprintf(file, "{\"user_id\":\"u%lu\",\"purchases\":%ld}\n", user, count);
    for (const auto& [key, window] : windows_)
      if (window.purchases > 10)
        std::fprintf(file, "{\"user_id\":\"u%lu\",\"window_start\":%ld,\"purchases\":%ld,\"cents\":%ld}\n", key.first,
                     key.second, window.purchases, window.cents);
    std::fclose(file);
  }

  long events() const { return events_; }

 private:
  uint64_t partitions() {
    rd_kafka_topic_t* topic = rd_kafka_topic_new(producer_, topic_.c_str(), nullptr);
    const rd_kafka_metadata_t* metadata = nullptr;
    if (rd_kafka_metadata(producer_, 0, topic, &metadata, 10'000) != RD_KAFKA_RESP_ERR_NO_ERROR) fail("no metadata");
    const int count = metadata->topics[0].partition_cnt;
    if (count <= 0) fail("no such topic");
    rd_kafka_metadata_destroy(metadata);
    rd_kafka_topic_destroy(topic);
    return static_cast<uint64_t>(count);
  }

  void send_event(uint64_t user, const char* type, int64_t cents, int64_t time) {
    char text[256];
    std::snprintf(text, sizeof text,
                  R"({"user_id":"u%lu","event_type":"%s","amount":%ld.%02ld,"event_time":%ld,"page":"/items/%lu"})",
                  user, type, cents / 100, cents % 100, time, events_ % 977);
    send(static_cast<int32_t>(user % partitions_), text);
  }

  void send(int32_t partition, const std::string& value) {
    while (true) {
      const rd_kafka_resp_err_t err =
          rd_kafka_producev(producer_, RD_KAFKA_V_TOPIC(topic_.c_str()), RD_KAFKA_V_PARTITION(partition),
                            RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                            RD_KAFKA_V_VALUE(const_cast<char*>(value.data()), value.size()), RD_KAFKA_V_END);
      if (err != RD_KAFKA_RESP_ERR__QUEUE_FULL && err != RD_KAFKA_RESP_ERR_NO_ERROR) fail(rd_kafka_err2str(err));
      rd_kafka_poll(producer_, err == RD_KAFKA_RESP_ERR__QUEUE_FULL ? 20 : 0);
      if (err == RD_KAFKA_RESP_ERR_NO_ERROR) return;
    }
  }

  std::string topic_;
  millrace::SeededRandom random_;
  rd_kafka_t* producer_ = nullptr;
  uint64_t partitions_ = 1;
  uint64_t events_ = 0;
  std::map<uint64_t, int64_t> purchases_;
  std::map<std::pair<uint64_t, int64_t>, Window> windows_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) {
    std::fprintf(stderr, "usage: millrace_feed BROKERS TOPIC RATE SEED EXPECTED\n");
    return 2;
  }
  signal(SIGTERM, [](int) { ending = true; });
  Feed feed(argv[1], argv[2], std::strtoull(argv[4], nullptr, 10));
  const long rate = std::atol(argv[3]);
  const auto started = std::chrono::steady_clock::now();
  long tick = 0;
  for (; !ending; ++tick) {
    for (long i = 0; i < rate / 100; ++i) feed.event(kStart + kSpeed * (tick * 10 + i * 1000 / rate));
    std::this_thread::sleep_until(started + std::chrono::milliseconds(10 * (tick + 1)));
  }
  feed.close_windows(kStart + kSpeed * 10 * tick);
  feed.write_expected(argv[5]);
  std::printf("%ld\n", feed.events());
  std::fflush(stdout);
  std::_Exit(0);
}
