#include "connectors/flusher/row_flusher.h"

#include <catch2/catch.hpp>

namespace millrace {

namespace {

/// Takes every row but those of one text; fails as often as told.
class FakeFlushTarget final : public FlushTarget {
 public:
  struct Seen {
    std::mutex mutex;
    std::vector<std::string> rows;
    int connections = 0;
    int failures = 0;  // of the next writes
    ErrorCode failure = ErrorCode::kUnreachable;
  };
  explicit FakeFlushTarget(std::shared_ptr<Seen> seen) : seen_(std::move(seen)) {}
  Status connect(const std::atomic<bool>&) override {
    const std::lock_guard lock(seen_->mutex);
    ++seen_->connections;
    return {};
  }
  Status write(std::span<const std::string_view> rows, const RefusedRow& refused) override {
    const std::lock_guard lock(seen_->mutex);
    if (seen_->failures > 0 && seen_->failures-- > 0) return make_error(seen_->failure, "told to fail");
    for (size_t i = 0; i < rows.size(); ++i) {
      if (rows[i] == "bad") {
        MR_TRY(refused(i, Error{ErrorCode::kOutputRefused, "a bad row", {}}));
      } else {
        seen_->rows.emplace_back(rows[i]);
      }
    }
    return {};
  }
  [[nodiscard]] std::string name() const override { return "fake"; }

 private:
  std::shared_ptr<Seen> seen_;
};

FlushRows flush_rows(const std::vector<std::string>& texts) {
  FlushRows rows;
  for (const std::string& text : texts) {
    rows.bytes += text;
    rows.ends.push_back(rows.bytes.size());
  }
  return rows;
}

using FlushSeen = FakeFlushTarget::Seen;

}  // namespace

TEST_CASE("a flusher writes what was submitted, in order, and tells when it is safe") {
  auto seen = std::make_shared<FlushSeen>();
  Waker waker;
  RowFlusher flusher(std::make_unique<FakeFlushTarget>(seen), false, &waker);
  flusher.submit(flush_rows({"a", "bb"}));
  const uint64_t ticket = flusher.submit(flush_rows({"", "c"}));
  CHECK_FALSE(flusher.done(ticket));
  flusher.start();
  REQUIRE(flusher.wait(ticket));
  CHECK(flusher.done(ticket));
  CHECK(flusher.ready());
  CHECK(seen->rows == std::vector<std::string>{"a", "bb", "", "c"});
}

TEST_CASE("a flusher connects and writes again after trouble that may pass") {
  auto seen = std::make_shared<FlushSeen>();
  seen->failures = 1;
  Waker waker;
  RowFlusher flusher(std::make_unique<FakeFlushTarget>(seen), false, &waker);
  flusher.start();
  REQUIRE(flusher.wait(flusher.submit(flush_rows({"a"}))));
  CHECK(seen->rows == std::vector<std::string>{"a"});
  CHECK(seen->connections == 2);
  CHECK(flusher.troubles() == 1);
  CHECK_FALSE(flusher.failure());
}

TEST_CASE("trouble that will not pass is a failure of everything that waits") {
  auto seen = std::make_shared<FlushSeen>();
  seen->failures = 1;
  seen->failure = ErrorCode::kExternalRefused;
  Waker waker;
  RowFlusher flusher(std::make_unique<FakeFlushTarget>(seen), false, &waker);
  flusher.start();
  const Status waited = flusher.wait(flusher.submit(flush_rows({"a"})));
  REQUIRE_FALSE(waited);
  CHECK(waited.error().code == ErrorCode::kExternalRefused);
  CHECK(flusher.failure());
}

TEST_CASE("refused rows are a failure, or are kept for the dead letters") {
  for (const bool collect : {false, true}) {
    auto seen = std::make_shared<FlushSeen>();
    Waker waker;
    RowFlusher flusher(std::make_unique<FakeFlushTarget>(seen), collect, &waker);
    flusher.start();
    const Status waited = flusher.wait(flusher.submit(flush_rows({"a", "bad", "c"})));
    CHECK(waited.has_value() == collect);
    const auto refused = flusher.take_refused();
    REQUIRE(refused.size() == (collect ? 1u : 0u));
    if (collect) CHECK(refused[0].row == 1);
    if (collect) CHECK(seen->rows == std::vector<std::string>{"a", "c"});
  }
}

TEST_CASE("a flusher that is stopped lets nobody wait") {
  auto seen = std::make_shared<FlushSeen>();
  Waker waker;
  RowFlusher flusher(std::make_unique<FakeFlushTarget>(seen), false, &waker);
  const uint64_t ticket = flusher.submit(flush_rows({"a"}));
  flusher.stop();  // before it was started: nothing was written
  const Status waited = flusher.wait(ticket);
  REQUIRE_FALSE(waited);
  CHECK(waited.error().code == ErrorCode::kCancelled);
}

}  // namespace millrace
