// The thread behind an at-least-once sink whose client waits: connects (and again, with a growing pause, for as long as
// it takes), writes what the worker submitted, all that waits at once. The worker submits and looks; it never waits.
// Shared by the writer and by snapshot parts that wait for their rows.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "core/status.h"
#include "core/waker.h"
#include "runtime/spi/sink.h"

namespace millrace {

struct FlushRows {
  std::string bytes;
  std::vector<size_t> ends;
};
struct FlushRefusedRow {
  size_t row;  // of its FlushRows
  std::string error;
};

/// The outside system. Called on the flusher's thread only; may wait, but gives up soon once `stopping` is set.
class FlushTarget {
 public:
  using RefusedRow = std::function<Status(size_t index, const Error& error)>;
  virtual ~FlushTarget() = default;
  /// A new session; the old one, if any, is dropped.
  virtual Status connect(const std::atomic<bool>& stopping) = 0;
  /// All rows are safe afterwards. A row that is refused for good goes to `refused`, whose error ends the writing.
  virtual Status write(std::span<const std::string_view> rows, const RefusedRow& refused) = 0;
  /// "postgres table t", for logs.
  [[nodiscard]] virtual std::string name() const = 0;
};

class RowFlusher {
 public:
  /// `collect_refused`: rows that the target refuses are kept for take_refused(), else they are a failure.
  RowFlusher(std::unique_ptr<FlushTarget> target, bool collect_refused, Waker* waker);
  ~RowFlusher();
  RowFlusher(const RowFlusher&) = delete;
  RowFlusher& operator=(const RowFlusher&) = delete;

  void start();
  /// Ends the thread; everything that waits gets kCancelled.
  void stop();

  /// Connected once (the waker fires then).
  [[nodiscard]] bool ready();
  [[nodiscard]] std::optional<Error> failure();
  /// False: the waker fires when there is room.
  bool has_room();
  /// Answers the ticket of these rows; tickets ascend from 1.
  uint64_t submit(FlushRows rows);
  [[nodiscard]] uint64_t last_ticket();
  [[nodiscard]] bool done(uint64_t ticket);
  std::vector<FlushRefusedRow> take_refused();
  /// Waits until the rows up to this ticket are safe.
  Status wait(uint64_t ticket);
  [[nodiscard]] uint64_t troubles() const { return troubles_.load(std::memory_order_relaxed); }

 private:
  void serve();
  Status session();  // until an error
  Status write_waiting();
  void fail(Error error);
  bool pause(int64_t ms);

  const std::unique_ptr<FlushTarget> target_;
  const bool collect_refused_;
  Waker* const waker_;

  std::mutex mutex_;  // guards all below
  std::condition_variable changed_;
  bool ready_ = false;
  std::optional<Error> failure_;
  std::deque<FlushRows> queue_;
  size_t queued_bytes_ = 0;
  uint64_t submitted_ = 0;
  uint64_t committed_ = 0;
  bool writer_waits_ = false;
  std::vector<FlushRefusedRow> refused_;

  std::atomic<bool> stopping_{false};
  std::atomic<uint64_t> troubles_{0};
  int64_t pause_ms_ = 0;  // the thread's
  std::thread thread_;
};

/// Holds a checkpoint back until the rows before its barrier are safe.
SnapshotPartPtr make_flushed_part(std::shared_ptr<RowFlusher> flusher, uint64_t ticket);

}  // namespace millrace
