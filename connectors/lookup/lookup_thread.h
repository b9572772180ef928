// The thread behind a table whose client waits: connects when the first question comes (and again after trouble), asks
// one question after the other and wakes the worker with each answer. The worker never waits.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "connectors/lookup/lookup_rows.h"
#include "runtime/spi/lookup.h"

namespace millrace {

/// The outside system. Called on the thread only; may wait, but gives up soon once `stopping` is set.
class LookupTarget {
 public:
  virtual ~LookupTarget() = default;
  /// A new session; the old one, if any, is dropped.
  virtual Status connect(const std::atomic<bool>& stopping) = 0;
  /// keys[i] has one text per key column; rows go to `rows` with i. After an error the session is dropped.
  virtual Status find(const std::vector<std::vector<std::string>>& keys, LookupRows& rows) = 0;
};

class LookupThread final : public LookupSource {
 public:
  LookupThread(std::unique_ptr<LookupTarget> target, LookupKeys keys, LookupRows rows)
      : target_(std::move(target)), keys_(std::move(keys)), rows_(std::move(rows)) {}
  ~LookupThread() override;
  Status open(const LookupContext& context) override;
  void ask(uint64_t ticket, std::vector<std::string> keys, int64_t delay_ms) override;
  [[nodiscard]] bool answered() const override { return answered_.load(std::memory_order_acquire); }
  bool take(LookupAnswer& answer) override;

 private:
  using Time = std::chrono::steady_clock::time_point;
  struct Question {
    uint64_t ticket = 0;
    std::vector<std::string> keys;
    Time due;
  };
  void serve();
  /// False: the end.
  bool next_question(Question& question);
  Status find(const Question& question, LookupAnswer& answer);

  // The thread's.
  const std::unique_ptr<LookupTarget> target_;
  const LookupKeys keys_;
  LookupRows rows_;
  bool connected_ = false;

  Waker* waker_ = nullptr;
  std::mutex mutex_;  // guards the queues
  std::condition_variable changed_;
  std::deque<Question> questions_;
  std::deque<LookupAnswer> answers_;
  std::atomic<bool> answered_{false};
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace millrace
