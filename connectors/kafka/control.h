// The control thread of a reader: everything that has to wait for a broker. It finds partitions and their positions,
// asks for the range of a lost one, commits group offsets for monitoring, and rings the bell. The reader posts requests
// and takes answers; it never waits for them. A broker that is down is asked again for ever, logged and counted.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "connectors/kafka/client.h"
#include "connectors/kafka/discovery.h"
#include "connectors/kafka/options.h"
#include "core/waker.h"

namespace millrace {

struct KafkaLostRange {
  KafkaPartition partition;
  KafkaRange range;
};

struct KafkaNews {
  std::vector<KafkaSplitStart> splits;
  std::vector<KafkaLostRange> lost;
  std::optional<Error> error;
  bool discovered = false;  // the first discovery is complete
};

class KafkaControl {
 public:
  /// `client` outlives this object; `trouble` is called for every failed attempt.
  KafkaControl(KafkaConsumerClient& client, KafkaSourceOptions options, KafkaKnown known, Waker* waker,
               KafkaTroubleCallback trouble);
  ~KafkaControl();
  KafkaControl(const KafkaControl&) = delete;
  KafkaControl& operator=(const KafkaControl&) = delete;

  // The reader's thread.
  [[nodiscard]] bool has_news() const { return has_news_.load(std::memory_order_acquire); }
  KafkaNews take_news();
  void ask_range(const KafkaPartition& partition);
  void commit(std::vector<std::pair<KafkaPartition, int64_t>> offsets);
  void ring(const KafkaPartition& partition);

 private:
  using TimePoint = std::chrono::steady_clock::time_point;

  void run();
  void discover(std::unique_lock<std::mutex>& lock);
  void answer_lost(std::unique_lock<std::mutex>& lock);
  void tell();  // with the lock held: there is news

  KafkaConsumerClient& client_;
  const KafkaSourceOptions options_;
  KafkaKnown known_;  // the thread's own
  Waker* const waker_;
  KafkaTroubleCallback trouble_;

  std::mutex mutex_;  // guards what follows
  std::condition_variable wake_;
  bool stop_ = false;
  std::deque<KafkaPartition> lost_;
  std::vector<std::pair<KafkaPartition, int64_t>> commits_;
  std::optional<KafkaPartition> bell_;
  KafkaNews news_;
  TimePoint next_discovery_;
  TimePoint next_lost_{};
  TimePoint next_ring_{};
  int missing_tries_ = 0;
  int failures_ = 0;

  std::atomic<bool> has_news_{false};
  std::atomic<bool> bell_pending_{false};
  std::thread thread_;
};

}  // namespace millrace
