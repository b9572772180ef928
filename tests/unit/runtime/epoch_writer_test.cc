#include "runtime/exactly_once/epoch_writer.h"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>

#include "tests/unit/runtime/test_rows.h"

using namespace millrace;

namespace {

/// An outside system with transactions: a list of rows and a marker per lane, which outlive writers.
struct Outside {
  std::mutex mutex;
  std::map<std::string, CommitMarker> markers;
  std::vector<std::string> rows;
  std::deque<ErrorCode> failures;  // of the next commits; kUnreachable after it took effect, others before
  int sessions = 0;
};

class OutsideSession final : public LaneSession {
 public:
  OutsideSession(Outside& outside, std::string lane) : outside_(outside), lane_(std::move(lane)) {}
  Result<std::optional<CommitMarker>> last_committed() override {
    const std::lock_guard lock(outside_.mutex);
    const auto found = outside_.markers.find(lane_);
    return found == outside_.markers.end() ? std::nullopt : std::optional(found->second);
  }
  Status commit(const CommitMarker& marker, const std::string& /*target*/, PartRows* rows) override {
    std::vector<std::string> taken;
    std::string_view row;
    while (rows != nullptr) {
      MR_ASSIGN(const bool more, rows->next(row));
      if (!more) break;
      taken.emplace_back(row);
    }
    const std::lock_guard lock(outside_.mutex);
    std::optional<ErrorCode> failure;
    if (rows != nullptr && !outside_.failures.empty()) {
      failure = outside_.failures.front();
      outside_.failures.pop_front();
    }
    if (failure && *failure != ErrorCode::kUnreachable) return make_error(*failure, "row 1: refused");
    outside_.markers[lane_] = marker;
    outside_.rows.insert(outside_.rows.end(), taken.begin(), taken.end());
    if (failure) return make_error(*failure, "the reply was lost");
    return {};
  }

 private:
  Outside& outside_;
  std::string lane_;
};

class OutsideTarget final : public ExactlyOnceTarget {
 public:
  explicit OutsideTarget(Outside& outside) : outside_(outside) {}
  Status open(const TargetContext& /*context*/) override { return {}; }
  std::string target() const override { return "outside"; }
  Status prepare(const Batch& batch, PreparedRows& rows, Output& /*dead_letters*/) override {
    Status status;
    for_each_row(batch, [&](uint32_t row) {
      if (status) status = rows.add(std::to_string(batch.columns[0]->values<int64_t>()[row]));
    });
    return status;
  }
  Result<uint32_t> known_lanes() override {
    const std::lock_guard lock(outside_.mutex);
    uint32_t lanes = 0;
    for (const auto& [lane, marker] : outside_.markers) {
      lanes = std::max(lanes, static_cast<uint32_t>(std::stoul(lane.substr(lane.rfind('-') + 1))) + 1);
    }
    return lanes;
  }
  Result<std::unique_ptr<LaneSession>> open_session(const LaneId& lane) override {
    const std::lock_guard lock(outside_.mutex);
    ++outside_.sessions;
    return std::make_unique<OutsideSession>(outside_, lane.text());
  }

 private:
  Outside& outside_;
};

class AwaitedEvents final : public SinkEvents {
 public:
  void restored_settled() override {
    note([&] { restored_ = true; });
  }
  void epoch_settled(int64_t epoch) override {
    note([&] {
      epoch_ = epoch;
      ++acknowledgements_;
    });
  }
  void failed(const Error& error) override {
    note([&] { error_ = error; });
  }
  /// Empty: everything up to the epoch is published (0: what was restored); else why not.
  std::optional<Error> await(int64_t epoch) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return error_ || (restored_ && epoch_ >= epoch); });
    return error_;
  }
  void await_acknowledgements(int count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return acknowledgements_ >= count; });
  }

 private:
  template <class F>
  void note(F change) {
    const std::lock_guard lock(mutex_);
    change();
    changed_.notify_all();
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  bool restored_ = false;
  int64_t epoch_ = 0;
  int acknowledgements_ = 0;
  std::optional<Error> error_;
};

/// The rows of one state, as a snapshot holds them.
class LaneRowsState final : public RestoredState, public SnapshotWriter {
 public:
  Status begin(const StateDescriptor& /*state*/) override { return {}; }
  Status add(uint32_t group, std::string_view key, std::string_view value) override {
    rows_.push_back({group, std::string(key), std::string(value)});
    return {};
  }
  Status visit(const StateDescriptor& /*expected*/, KeyGroupRange /*groups*/, uint32_t subtask, uint32_t parallelism,
               const RowVisitor& visitor) const override {
    for (const auto& [group, key, value] : rows_) {
      if (group % parallelism == subtask) MR_TRY(visitor(group, key, value));
    }
    return {};
  }
  void append(const LaneRowsState& more) { rows_.insert(rows_.end(), more.rows_.begin(), more.rows_.end()); }

 private:
  std::vector<std::tuple<uint32_t, std::string, std::string>> rows_;
};

class NoLetters final : public Output {
 public:
  void emit(uint32_t /*port*/, Batch /*batch*/) override {}
};

struct LaneDirectory {
  LaneDirectory() {
    char name[] = "/tmp/millrace-lanes-XXXXXX";
    path = ::mkdtemp(name);
  }
  ~LaneDirectory() { (void)local_file_system().remove_all(path); }
  std::string path;
};

struct LaneRun {
  ManualClock clock{0};
  AwaitedEvents events;
  SinkContext context;
  SinkWriterPtr writer;
  NoLetters none;

  LaneRun(Outside& outside, const LaneDirectory& directory, int64_t generation, const LaneRowsState* restored = nullptr,
          int64_t restored_checkpoint = 0, uint32_t subtask = 0, uint32_t parallelism = 1,
          const std::string& job = "0123456789abcdef0123456789abcdef") {
    writer = make_epoch_writer(std::make_unique<OutsideTarget>(outside), local_file_system(),
                               {.part_bytes = 1 << 20, .part_rows = 3, .block_bytes = 1 << 10});
    context.sink = "out";
    context.job_id = job;
    context.clock = &clock;
    context.subtask = subtask;
    context.parallelism = parallelism;
    context.restored = restored;
    context.owner = {generation, static_cast<uint64_t>(generation) * 1000};
    context.job_directory = directory.path;
    context.restored_checkpoint = restored_checkpoint;
    context.events = &events;
    REQUIRE(writer->open(context));
  }
  void write(const std::vector<int64_t>& values) { REQUIRE(writer->write(numbers(values), none)); }
  LaneRowsState barrier(int64_t checkpoint) {
    LaneRowsState state;
    auto parts = writer->snapshot_at(checkpoint);
    REQUIRE(parts);
    for (const SnapshotPartPtr& part : *parts) REQUIRE(part->write(state));
    return state;
  }
  std::optional<Error> complete(int64_t checkpoint) {
    REQUIRE(writer->checkpoint_completed(checkpoint));
    return events.await(checkpoint);
  }
};

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("rows go out after their checkpoint completed, in parts, in order") {
  Outside outside;
  const LaneDirectory directory;
  LaneRun run(outside, directory, 1);
  run.write({1, 2, 3, 4, 5, 6, 7});
  (void)run.barrier(1);
  CHECK(outside.rows.empty());
  CHECK_FALSE(run.complete(1));
  CHECK(outside.rows == Lines{"1", "2", "3", "4", "5", "6", "7"});
  const CommitMarker& marker = outside.markers.begin()->second;
  CHECK(EpochPart{marker.epoch, marker.part} == EpochPart{1, 2});
  CHECK(marker.parts == 3);
}

TEST_CASE("the epoch of an aborted checkpoint goes out with the next one") {
  Outside outside;
  const LaneDirectory directory;
  LaneRun run(outside, directory, 1);
  run.write({1});
  REQUIRE(run.writer->snapshot_at(1));  // aborted before it was written
  run.write({2});
  (void)run.barrier(2);
  CHECK_FALSE(run.complete(2));
  CHECK(outside.rows == Lines{"1", "2"});
}

TEST_CASE("a commit whose reply was lost is not repeated; one that did not happen is") {
  Outside outside;
  outside.failures = {ErrorCode::kUnreachable, ErrorCode::kExternalFailed};
  const LaneDirectory directory;
  LaneRun run(outside, directory, 1);
  run.write({1});
  (void)run.barrier(1);
  CHECK_FALSE(run.complete(1));
  run.write({2});
  (void)run.barrier(2);
  CHECK_FALSE(run.complete(2));
  CHECK(outside.rows == Lines{"1", "2"});
}

TEST_CASE("a permanent error names sink, lane and epoch") {
  Outside outside;
  outside.failures = {ErrorCode::kOutputRefused};
  const LaneDirectory directory;
  LaneRun run(outside, directory, 1);
  run.write({1});
  (void)run.barrier(1);
  const std::optional<Error> error = run.complete(1);
  REQUIRE(error);
  CHECK(error->code == ErrorCode::kOutputRefused);
  CHECK(error->message == "sink `out`, lane 0, epoch 1: row 1: refused");
}

TEST_CASE("a restart publishes what the restored checkpoint holds, once") {
  Outside outside;
  const LaneDirectory directory;
  LaneRowsState state;
  {
    LaneRun run(outside, directory, 1);
    run.write({1, 2});
    state = run.barrier(1);
  }
  {
    LaneRun second(outside, directory, 2, &state, 1);
    CHECK_FALSE(second.events.await(0));
    CHECK(outside.rows == Lines{"1", "2"});
  }
  LaneRun third(outside, directory, 3, &state, 1);
  CHECK_FALSE(third.events.await(0));
  CHECK(outside.rows == Lines{"1", "2"});
}

TEST_CASE("a process that wakes up behind its successor publishes nothing") {
  Outside outside;
  const LaneDirectory directory;
  LaneRun first(outside, directory, 1);
  first.write({1});
  const LaneRowsState state = first.barrier(1);
  LaneRun second(outside, directory, 2, &state, 1);
  CHECK_FALSE(second.events.await(0));
  const std::optional<Error> error = first.complete(1);
  REQUIRE(error);
  CHECK(error->code == ErrorCode::kSuperseded);
  CHECK(outside.rows == Lines{"1"});
}

TEST_CASE("lanes of a lower parallelism are settled by the subtasks that are left") {
  Outside outside;
  const LaneDirectory directory;
  LaneRowsState state;
  for (uint32_t subtask = 0; subtask < 3; ++subtask) {
    LaneRun run(outside, directory, 1, nullptr, 0, subtask, 3);
    run.write({subtask + 10});
    state.append(run.barrier(1));
  }
  LaneRun run(outside, directory, 2, &state, 1, 0, 1);
  CHECK_FALSE(run.events.await(0));
  CHECK(outside.rows == Lines{"10", "11", "12"});
  run.write({20});
  LaneRowsState next = run.barrier(2);
  CHECK_FALSE(run.complete(2));
  CHECK(outside.markers.at("0123456789abcdef0123456789abcdef-out-2").generation == 2);
  CHECK(outside.rows.back() == "20");
}

TEST_CASE("a state that is older than a lane is refused, although it does not know the lane") {
  Outside outside;
  const LaneDirectory directory;
  LaneRowsState old;
  {
    LaneRun run(outside, directory, 1);
    old = run.barrier(1);
    REQUIRE_FALSE(run.complete(1));
  }
  {
    LaneRun first(outside, directory, 2, &old, 1, 0, 2);
    LaneRun second(outside, directory, 2, &old, 1, 1, 2);
    second.write({1, 2});
    (void)first.barrier(2);
    (void)second.barrier(2);
    REQUIRE_FALSE(first.complete(2));
    REQUIRE_FALSE(second.complete(2));
  }
  LaneRun third(outside, directory, 3, &old, 1);  // at parallelism 1 again
  const auto error = third.events.await(0);
  REQUIRE(error);
  REQUIRE(error->code == ErrorCode::kRefusedByState);
  REQUIRE(error->to_string().find("lane 1") != std::string::npos);
}

TEST_CASE("progress that was deleted is refused; a fork drops what the original publishes") {
  Outside outside;
  const LaneDirectory directory;
  LaneRowsState state;
  {
    LaneRun run(outside, directory, 1);
    CHECK_FALSE(run.events.await(0));
    run.write({1});
    state = run.barrier(1);
  }
  outside.markers.clear();
  {
    LaneRun run(outside, directory, 2, &state, 1);
    const std::optional<Error> error = run.events.await(0);
    REQUIRE(error);
    CHECK(error->code == ErrorCode::kRefusedByState);
  }
  LaneRun fork(outside, directory, 1, &state, 1, 0, 1, "ffffffffffffffffffffffffffffffff");
  CHECK_FALSE(fork.events.await(0));
  CHECK(outside.rows.empty());
}

TEST_CASE("a damaged segment is noticed, not published") {
  Outside outside;
  const LaneDirectory directory;
  LaneRowsState state;
  {
    LaneRun run(outside, directory, 1);
    run.write({1, 2});
    state = run.barrier(1);
  }
  const std::string path = join_path(directory.path, "segments/out/0/1-1");
  std::string bytes = *local_file_system().read_all(path);
  bytes.back() ^= 1;
  REQUIRE(write_file_durably(local_file_system(), path, bytes));
  LaneRun run(outside, directory, 2, &state, 1);
  const std::optional<Error> error = run.events.await(0);
  REQUIRE(error);
  CHECK(error->code == ErrorCode::kCorruptState);
  CHECK(outside.rows.empty());
}

TEST_CASE("a notification that is repeated is acknowledged again and publishes nothing") {
  Outside outside;
  const LaneDirectory directory;
  LaneRun run(outside, directory, 1);
  run.write({1});
  (void)run.barrier(1);
  CHECK_FALSE(run.complete(1));
  CHECK_FALSE(run.complete(1));
  run.events.await_acknowledgements(2);
  CHECK(outside.rows == Lines{"1"});
}

TEST_CASE("rows that were taken out of a part stay out; the others go on") {
  Outside outside;
  outside.failures = {ErrorCode::kOutputRefused};
  const LaneDirectory directory;
  LaneRowsState state;
  {
    LaneRun run(outside, directory, 1);
    run.write({1, 2, 3, 4});
    state = run.barrier(1);
    CHECK(run.complete(1));
  }
  const std::string segment = join_path(directory.path, "segments/out/0/1-1");
  REQUIRE(write_skipped_rows(local_file_system(), segment, 0, {1}));
  LaneRun run(outside, directory, 2, &state, 1);
  CHECK_FALSE(run.events.await(0));
  CHECK(outside.rows == Lines{"1", "3", "4"});
}
