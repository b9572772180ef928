#include "connectors/flusher/row_flusher.h"

#include <algorithm>
#include <chrono>

#include "core/log.h"

namespace millrace {
namespace {

constexpr size_t kQueuedBytesMax = 16u << 20;
constexpr size_t kTransactionRowsMax = 20'000;
constexpr int64_t kPauseFirstMs = 100;
constexpr int64_t kPauseMaxMs = 10'000;

class FlushedPart final : public SnapshotPart {
 public:
  FlushedPart(std::shared_ptr<RowFlusher> flusher, uint64_t ticket) : flusher_(std::move(flusher)), ticket_(ticket) {}
  Status write(SnapshotWriter& /*writer*/) override { return flusher_->wait(ticket_); }

 private:
  std::shared_ptr<RowFlusher> flusher_;
  uint64_t ticket_;
};

}  // namespace

SnapshotPartPtr make_flushed_part(std::shared_ptr<RowFlusher> flusher, uint64_t ticket) {
  return std::make_unique<FlushedPart>(std::move(flusher), ticket);
}

RowFlusher::RowFlusher(std::unique_ptr<FlushTarget> target, bool collect_refused, Waker* waker)
    : target_(std::move(target)), collect_refused_(collect_refused), waker_(waker) {}

RowFlusher::~RowFlusher() { stop(); }

void RowFlusher::start() {
  thread_ = std::thread([this] { serve(); });
}

void RowFlusher::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

bool RowFlusher::ready() {
  const std::lock_guard lock(mutex_);
  return ready_;
}

std::optional<Error> RowFlusher::failure() {
  const std::lock_guard lock(mutex_);
  return failure_;
}

bool RowFlusher::has_room() {
  const std::lock_guard lock(mutex_);
  writer_waits_ = queued_bytes_ > kQueuedBytesMax;
  return !writer_waits_;
}

uint64_t RowFlusher::submit(FlushRows rows) {
  const std::lock_guard lock(mutex_);
  queued_bytes_ += rows.bytes.size();
  queue_.push_back(std::move(rows));
  changed_.notify_all();
  return ++submitted_;
}

uint64_t RowFlusher::last_ticket() {
  const std::lock_guard lock(mutex_);
  return submitted_;
}

bool RowFlusher::done(uint64_t ticket) {
  const std::lock_guard lock(mutex_);
  return committed_ >= ticket;
}

std::vector<FlushRefusedRow> RowFlusher::take_refused() {
  const std::lock_guard lock(mutex_);
  return std::exchange(refused_, {});
}

Status RowFlusher::wait(uint64_t ticket) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return committed_ >= ticket || failure_ || stopping_; });
  if (committed_ >= ticket) return {};
  if (failure_) return std::unexpected(*failure_);
  return make_error(ErrorCode::kCancelled, target_->name() + ": the sink ended");
}

void RowFlusher::fail(Error error) {
  const std::lock_guard lock(mutex_);
  failure_ = std::move(error);
  changed_.notify_all();
  waker_->notify();
}

bool RowFlusher::pause(int64_t ms) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, std::chrono::milliseconds(ms), [&] { return stopping_.load(); });
  return !stopping_;
}

void RowFlusher::serve() {
  while (!stopping_) {
    Status ended = session();
    if (stopping_) return;
    if (!ended.error().transient()) return fail(std::move(ended.error()));
    troubles_.fetch_add(1, std::memory_order_relaxed);
    pause_ms_ = std::clamp(pause_ms_ * 2, kPauseFirstMs, kPauseMaxMs);
    log_warn("trouble with the server of a sink, trying again",
             {{"target", target_->name()}, {"pause_ms", pause_ms_}, {"reason", ended.error().message}});
    if (!pause(pause_ms_)) return;
  }
}

Status RowFlusher::session() {
  MR_TRY(target_->connect(stopping_));
  {
    const std::lock_guard lock(mutex_);
    ready_ = true;
    waker_->notify();
  }
  while (true) {
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return !queue_.empty() || stopping_; });
    }
    if (stopping_) return make_error(ErrorCode::kCancelled, target_->name() + ": the sink ended");
    MR_TRY(write_waiting());
    pause_ms_ = 0;
  }
}

Status RowFlusher::write_waiting() {
  std::vector<std::string_view> rows;
  size_t taken = 0;
  {
    // The worker only appends behind these, and a deque does not move its elements then.
    const std::lock_guard lock(mutex_);
    while (taken < queue_.size() && (taken == 0 || rows.size() + queue_[taken].ends.size() <= kTransactionRowsMax)) {
      size_t start = 0;
      for (const size_t end : queue_[taken].ends) {
        rows.push_back(std::string_view(queue_[taken].bytes).substr(start, end - start));
        start = end;
      }
      ++taken;
    }
  }
  std::vector<FlushRefusedRow> refused;
  const auto on_refused = [&](size_t row, const Error& error) -> Status {
    if (!collect_refused_) return std::unexpected(error);
    const bool known = std::ranges::any_of(refused, [&](const FlushRefusedRow& one) { return one.row == row; });
    if (!known) refused.push_back({row, error.message});
    return {};
  };
  MR_TRY(target_->write(rows, on_refused));
  const std::lock_guard lock(mutex_);
  for (size_t i = 0; i < taken; ++i) {
    queued_bytes_ -= queue_.front().bytes.size();
    queue_.pop_front();
  }
  committed_ += taken;
  refused_ = std::move(refused);
  changed_.notify_all();
  if (writer_waits_ || collect_refused_) waker_->notify();
  return {};
}

}  // namespace millrace
