#include "state/snapshot_file.h"

#include <catch2/catch.hpp>
#include <map>

#include "core/random.h"
#include "tests/unit/state/simulated_disk.h"

namespace millrace {

namespace {

const StateDescriptor kSnapshotWindow{"per_user", "window", StateKind::kKeyed, "STRING -> count"};
const StateDescriptor kSnapshotSplits{"orders", "splits", StateKind::kSplit, "split"};
const StateDescriptor kSnapshotLanes{"out", "lanes", StateKind::kSubtask, "lane"};

using SnapshotRows = std::map<std::pair<uint32_t, std::string>, std::string>;

struct SnapshotFixture {
  SimulatedDisk disk;
  std::vector<SnapshotHandle> handles;
  SnapshotRows rows;

  explicit SnapshotFixture(size_t row_count = 9000) {
    SeededRandom random(5);
    for (uint32_t task = 0; task < 2; ++task) {
      SnapshotFileWriter writer(disk, "/jobs/j", snapshot_file_name(3, 1, {0, task}), 128);
      REQUIRE(writer.begin(kSnapshotWindow));
      for (size_t i = 0; i < row_count; ++i) {
        const auto group = static_cast<uint32_t>(task * 64 + random.below(64));
        std::string key = "key-" + std::to_string(i);
        std::string value(random.below(40), static_cast<char>('a' + i % 26));
        REQUIRE(writer.add(group, key, value));
        rows[{group, key}] = value;
      }
      REQUIRE(writer.begin(kSnapshotSplits));
      REQUIRE(writer.add(0, "split-" + std::to_string(task), "offset"));
      REQUIRE(writer.begin(kSnapshotLanes));
      REQUIRE(writer.add(task, "", "lane"));
      auto handle = writer.finish({0, task});
      REQUIRE(handle);
      handles.push_back(*handle);
    }
  }

  Result<std::shared_ptr<const RestoredSnapshots>> open(uint32_t max_parallelism = 128) {
    return RestoredSnapshots::open(disk, "/jobs/j", handles, max_parallelism);
  }
};

Result<SnapshotRows> snapshot_visit(const RestoredSnapshots& from, const StateDescriptor& state, KeyGroupRange groups,
                                    uint32_t subtask = 0, uint32_t parallelism = 1) {
  SnapshotRows out;
  MR_TRY(from.visit(state, groups, subtask, parallelism,
                    [&](uint32_t group, std::string_view key, std::string_view value) -> Status {
                      out[{group, std::string(key)}] = value;
                      return {};
                    }));
  return out;
}

}  // namespace

TEST_CASE("rows written to two files are visited by key group, split and subtask") {
  SnapshotFixture f;
  const auto restored = f.open();
  REQUIRE(restored);
  SnapshotRows all;
  for (uint32_t index = 0; index < 3; ++index) {
    const KeyGroupRange range = key_group_range(128, 3, index);
    const auto part = snapshot_visit(**restored, kSnapshotWindow, range);
    REQUIRE(part);
    for (const auto& [key, value] : *part) {
      REQUIRE(range.contains(key.first));
      REQUIRE(all.emplace(key, value).second);
    }
  }
  REQUIRE(all == f.rows);
  REQUIRE(snapshot_visit(**restored, kSnapshotSplits, {0, 1}, 2, 3)->size() == 2);
  REQUIRE(snapshot_visit(**restored, kSnapshotLanes, {0, 1}, 1, 2)->size() == 1);
  REQUIRE(snapshot_visit(**restored, kSnapshotLanes, {0, 1}, 0, 1)->size() == 2);
  REQUIRE((*restored)->verify());
  const auto states = (*restored)->states();
  REQUIRE(states.size() == 3);
  REQUIRE(states[2].state == kSnapshotWindow);
  REQUIRE(states[2].rows == 18000);
}

TEST_CASE("a state that was never saved has no rows") {
  SnapshotFixture f(10);
  const auto rows = snapshot_visit(**f.open(), {"per_user", "timers", StateKind::kKeyed, "x"}, {0, 128});
  REQUIRE(rows);
  REQUIRE(rows->empty());
}

TEST_CASE("another layout or max_parallelism is refused") {
  SnapshotFixture f(10);
  StateDescriptor other = kSnapshotWindow;
  other.layout = "BIGINT -> count";
  const auto rows = snapshot_visit(**f.open(), other, {0, 128});
  REQUIRE_FALSE(rows);
  REQUIRE(rows.error().code == ErrorCode::kIncompatibleState);
  REQUIRE(rows.error().message.find("per_user") != std::string::npos);
  REQUIRE(f.open(64).error().code == ErrorCode::kIncompatibleState);
}

TEST_CASE("a task without state writes no file") {
  SimulatedDisk disk;
  SnapshotFileWriter writer(disk, "/jobs/j", snapshot_file_name(1, 1, {4, 0}), 128);
  const auto handle = writer.finish({4, 0});
  REQUIRE(handle);
  REQUIRE(handle->file.empty());
  REQUIRE_FALSE(disk.exists("/jobs"));
  const std::vector<SnapshotHandle> handles = {*handle};
  REQUIRE(RestoredSnapshots::open(disk, "/jobs/j", handles, 128));
}

TEST_CASE("a finished file survives a crash of the disk once its directories are durable") {
  SnapshotFixture f(500);
  for (const char* directory : {"/jobs/j/chk-3", "/jobs/j", "/jobs", "/"}) REQUIRE(f.disk.sync_directory(directory));
  SeededRandom random(11);
  f.disk.crash(random);
  const auto restored = f.open();
  REQUIRE(restored);
  REQUIRE(*snapshot_visit(**restored, kSnapshotWindow, {0, 128}) == f.rows);
}

namespace {

// Opens and reads everything; the error must be about state and name the file.
void require_snapshot_damage(SnapshotFixture& f, const std::string& path, const std::string& what) {
  const auto restored = f.open();
  const Status read = restored ? (*restored)->verify() : Status(std::unexpected(restored.error()));
  INFO(what);
  REQUIRE_FALSE(read);
  REQUIRE(read.error().code == ErrorCode::kCorruptState);
  REQUIRE(read.error().message.find(path) != std::string::npos);
}

void replace_file(SimulatedDisk& disk, const std::string& path, const std::string& bytes) {
  auto file = disk.create(path);
  REQUIRE(file);
  REQUIRE((*file)->append(bytes));
}

}  // namespace

TEST_CASE("a flipped bit at every 97th byte is found and the file is named") {
  SnapshotFixture f(2500);
  const std::string path = "/jobs/j/" + f.handles[1].file;
  const std::string good = *f.disk.read_all(path);
  REQUIRE(good.size() > 65536);
  const size_t near_the_end = good.size() - 160;
  for (size_t at = 0; at < good.size(); at += at >= near_the_end || at < 32 ? 1 : 97) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ (1 << (at % 8)));
    replace_file(f.disk, path, bad);
    require_snapshot_damage(f, path, "byte " + std::to_string(at));
  }
  replace_file(f.disk, path, good);
  REQUIRE((*f.open())->verify());
}

TEST_CASE("a truncated, longer or missing file is found and named") {
  SnapshotFixture f(2000);
  const std::string path = "/jobs/j/" + f.handles[0].file;
  const std::string good = *f.disk.read_all(path);
  for (const size_t size : {size_t{0}, size_t{1}, size_t{23}, size_t{47}, good.size() / 2, good.size() - 1}) {
    replace_file(f.disk, path, good.substr(0, size));
    require_snapshot_damage(f, path, "length " + std::to_string(size));
  }
  replace_file(f.disk, path, good + "x");
  require_snapshot_damage(f, path, "longer");
  REQUIRE(f.disk.remove(path));
  require_snapshot_damage(f, path, "missing");
}

}  // namespace millrace
