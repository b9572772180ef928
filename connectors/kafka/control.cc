#include "connectors/kafka/control.h"

#include <algorithm>
#include <chrono>

#include "core/log.h"

namespace millrace {

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr int kRequestMs = 1000;  // short, so that a stop is not held up
constexpr milliseconds kRingEvery{5};
constexpr milliseconds kRetryFirst{200};
constexpr milliseconds kRetryMax{2000};
constexpr int kMissingTriesMax = 4;  // a topic just made may not be known everywhere yet

}  // namespace

KafkaControl::KafkaControl(KafkaConsumerClient& client, KafkaSourceOptions options, KafkaKnown known, Waker* waker,
                           KafkaTroubleCallback trouble)
    : client_(client),
      options_(std::move(options)),
      known_(std::move(known)),
      waker_(waker),
      trouble_(std::move(trouble)),
      next_discovery_(steady_clock::now()) {
  thread_ = std::thread([this] { run(); });
}

KafkaControl::~KafkaControl() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

KafkaNews KafkaControl::take_news() {
  const std::lock_guard lock(mutex_);
  has_news_.store(false, std::memory_order_relaxed);
  return std::exchange(news_, {});
}

void KafkaControl::ask_range(const KafkaPartition& partition) {
  {
    const std::lock_guard lock(mutex_);
    lost_.push_back(partition);
  }
  wake_.notify_all();
}

void KafkaControl::commit(std::vector<std::pair<KafkaPartition, int64_t>> offsets) {
  {
    const std::lock_guard lock(mutex_);
    commits_ = std::move(offsets);
  }
  wake_.notify_all();
}

void KafkaControl::ring(const KafkaPartition& partition) {
  if (bell_pending_.exchange(true)) return;
  {
    const std::lock_guard lock(mutex_);
    bell_ = partition;
  }
  wake_.notify_all();
}

void KafkaControl::tell() {
  has_news_.store(true, std::memory_order_release);
  waker_->notify();
}

void KafkaControl::run() {
  std::unique_lock lock(mutex_);
  while (!stop_) {
    const TimePoint now = steady_clock::now();
    if (bell_ && now >= next_ring_) {
      const KafkaPartition partition = *std::exchange(bell_, std::nullopt);
      lock.unlock();
      client_.ring(partition);
      bell_pending_.store(false);
      lock.lock();
      next_ring_ = steady_clock::now() + kRingEvery;
    } else if (!commits_.empty()) {
      const auto offsets = std::exchange(commits_, {});
      lock.unlock();
      client_.commit(offsets);
      lock.lock();
    } else if (!lost_.empty() && now >= next_lost_) {
      answer_lost(lock);
    } else if (now >= next_discovery_) {
      discover(lock);
    } else {
      TimePoint until = next_discovery_;
      if (bell_) until = std::min(until, next_ring_);
      if (!lost_.empty()) until = std::min(until, next_lost_);
      wake_.wait_until(lock, until);
    }
  }
}

void KafkaControl::answer_lost(std::unique_lock<std::mutex>& lock) {
  const KafkaPartition partition = lost_.front();
  lock.unlock();
  Result<KafkaRange> range = client_.range(partition, kRequestMs);
  lock.lock();
  if (!range) {
    trouble_();
    next_lost_ = steady_clock::now() + kRetryFirst;
    return;
  }
  lost_.pop_front();
  news_.lost.push_back({partition, *range});
  tell();
}

void KafkaControl::discover(std::unique_lock<std::mutex>& lock) {
  lock.unlock();
  Result<std::vector<KafkaSplitStart>> found = discover_kafka_splits(client_, options_, known_, kRequestMs);
  lock.lock();
  const TimePoint now = steady_clock::now();
  if (found) {
    failures_ = missing_tries_ = 0;
    const bool once = options_.discover_every_ms <= 0 || options_.stop.kind != KafkaPosition::Kind::kNone;
    next_discovery_ =
        now + (once ? milliseconds(std::chrono::hours(24 * 365)) : milliseconds(options_.discover_every_ms));
    std::ranges::move(*found, std::back_inserter(news_.splits));
    news_.discovered = true;
    tell();
    return;
  }
  const Error& error = found.error();
  const bool missing = error.code == ErrorCode::kMissingTopic && ++missing_tries_ < kMissingTriesMax;
  if (!missing && !error.transient()) {
    news_.error = error;
    next_discovery_ = now + milliseconds(std::chrono::hours(24 * 365));
    tell();
    return;
  }
  trouble_();
  // Each doubling of the number of failures is logged, so that a long outage does not fill the log.
  if ((failures_ & (failures_ - 1)) == 0) {
    log_warn("kafka: partitions are not known yet, trying again",
             {{"brokers", kafka_setting(options_.settings, "bootstrap.servers")},
              {"attempt", failures_ + 1},
              {"error", error.to_string()}});
  }
  next_discovery_ = now + (missing ? kRetryFirst : std::min(kRetryMax, kRetryFirst * (1 << std::min(failures_, 4))));
  ++failures_;
}

}  // namespace millrace
