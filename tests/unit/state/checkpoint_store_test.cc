#include "state/checkpoint_store.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <set>

#include "state/job_record.h"
#include "state/snapshot_file.h"
#include "tests/unit/state/simulated_disk.h"

namespace millrace {

namespace {

const StateDescriptor kStoreState{"step", "state", StateKind::kKeyed, "x"};

struct StoreDisk {
  SimulatedDisk disk;
  SeededRandom random{1};
  ManualClock clock{1000};

  OpenJob job(StartRequest start = {}, std::string name = "orders") const {
    return {"/data/checkpoints", std::move(name), "version: 1", 128, std::move(start), false};
  }
  Result<std::unique_ptr<CheckpointStore>> try_open(StartRequest start = {}, std::string name = "orders") {
    return CheckpointStore::open(disk, random, clock, job(std::move(start), std::move(name)));
  }
  std::unique_ptr<CheckpointStore> open(StartRequest start = {}, std::string name = "orders") {
    auto store = try_open(std::move(start), std::move(name));
    if (!store) FAIL(store.error().to_string());
    return std::move(*store);
  }

  // A whole checkpoint whose only row tells its id.
  Status checkpoint(
      CheckpointStore& store, int64_t& id, const std::function<void(int64_t)>& reserved = [](int64_t) {}) {
    MR_ASSIGN(id, store.reserve_checkpoint_id());
    reserved(id);
    SnapshotFileWriter writer(disk, store.directory(), snapshot_file_name(id, store.record().attempt, {0, 0}), 128);
    MR_TRY(writer.begin(kStoreState));
    MR_TRY(writer.add(3, "id", std::to_string(id)));
    MR_ASSIGN(const SnapshotHandle handle, writer.finish({0, 0}));
    return store.complete(id, false, {handle, SnapshotHandle{{1, 0}, "", 0, 0, {}}});
  }
  int64_t must_checkpoint(CheckpointStore& store) {
    int64_t id = 0;
    const Status done = checkpoint(store, id);
    if (!done) FAIL(done.error().to_string());
    return id;
  }

  // What the newest checkpoint's row says; 0: no checkpoint; -1: the disk is gone.
  int64_t restored(CheckpointStore& store) {
    auto newest = store.newest();
    if (!newest && disk.failed()) return -1;
    if (!newest) FAIL(newest.error().to_string());
    if (!*newest) return 0;
    auto files = RestoredSnapshots::open(disk, store.directory(), (*newest)->handles, 128);
    if (!files) FAIL(files.error().to_string());
    int64_t id = -1;
    REQUIRE(
        (*files)->visit(kStoreState, {0, 128}, 0, 1, [&](uint32_t, std::string_view, std::string_view value) -> Status {
          id = std::stoll(std::string(value));
          return {};
        }));
    return id;
  }
};

}  // namespace

TEST_CASE("a second run resumes the newest checkpoint with a higher attempt and the same id") {
  StoreDisk f;
  auto first = f.open();
  REQUIRE(first->start_decision() == StartDecision::kFirst);
  REQUIRE(first->record().attempt == 1);
  REQUIRE(f.restored(*first) == 0);
  f.must_checkpoint(*first);
  const int64_t newest = f.must_checkpoint(*first);
  REQUIRE(*first->raise_attempt() == 2);
  const JobId job_id = first->record().job_id;
  first.reset();
  auto second = f.open();
  REQUIRE(second->start_decision() == StartDecision::kResume);
  REQUIRE(second->record().attempt == 3);
  REQUIRE(second->record().job_id == job_id);
  REQUIRE(f.restored(*second) == newest);
  REQUIRE(f.must_checkpoint(*second) > newest);
  REQUIRE(second->completed_ids().size() == 3);
}

TEST_CASE("a clean end gives unused checkpoint ids back") {
  StoreDisk f;
  auto store = f.open();
  REQUIRE(f.must_checkpoint(*store) == 1);
  REQUIRE(store->set_status(JobStatus::kSuspended));
  store.reset();
  REQUIRE(f.must_checkpoint(*f.open()) == 2);
}

TEST_CASE("a finished job starts fresh with a new id, and its checkpoints go with the first new one") {
  StoreDisk f;
  auto store = f.open();
  const int64_t old = f.must_checkpoint(*store);
  const JobId job_id = store->record().job_id;
  REQUIRE(store->set_status(JobStatus::kFinished));
  store = f.open();
  REQUIRE(store->start_decision() == StartDecision::kFreshEnded);
  REQUIRE(store->record().job_id != job_id);
  REQUIRE(f.restored(*store) == 0);
  REQUIRE(f.disk.exists("/data/checkpoints/orders/chk-" + std::to_string(old) + "/_metadata"));
  REQUIRE(f.must_checkpoint(*store) > old);
  REQUIRE_FALSE(f.disk.exists("/data/checkpoints/orders/chk-" + std::to_string(old)));
}

TEST_CASE("--fresh moves the directory aside") {
  StoreDisk f;
  const int64_t old = f.must_checkpoint(*f.open());
  auto store = f.open({"", "", true, false});
  REQUIRE(f.restored(*store) == 0);
  REQUIRE(store->record().attempt == 2);  // a frozen owner of the old one must not outrank it
  REQUIRE(read_checkpoint(f.disk, "/data/checkpoints/orders.old-1/chk-" + std::to_string(old)));
}

TEST_CASE("--restore starts a new line: what came after is never used again") {
  StoreDisk f;
  auto store = f.open();
  const int64_t one = f.must_checkpoint(*store);
  const int64_t two = f.must_checkpoint(*store);
  const JobId job_id = store->record().job_id;
  store = f.open({"/data/../data//checkpoints/./orders/chk-" + std::to_string(one) + "/", "", false, false});
  REQUIRE(store->record().job_id == job_id);
  REQUIRE(store->record().restored_from == "/data/checkpoints/orders/chk-" + std::to_string(one));
  REQUIRE(f.restored(*store) == one);
  store = f.open();  // died before its first checkpoint
  REQUIRE(store->start_decision() == StartDecision::kResume);
  REQUIRE(f.restored(*store) == one);
  const int64_t three = f.must_checkpoint(*store);
  REQUIRE(three > two);
  store = f.open();
  REQUIRE(f.restored(*store) == three);
}

TEST_CASE("--restore from another directory keeps the identity and --fork makes a new one") {
  StoreDisk f;
  auto original = f.open();
  REQUIRE(original->raise_attempt());
  const int64_t id = f.must_checkpoint(*original);
  const std::string path = "/data/checkpoints/orders/chk-" + std::to_string(id);
  REQUIRE(f.disk.create_directories("/data/checkpoints/orders/segments/out/0"));
  REQUIRE(write_file_durably(f.disk, "/data/checkpoints/orders/segments/out/0/1-1", "rows"));
  auto moved = f.open({path, "", false, false}, "orders2");
  REQUIRE(*f.disk.read_all("/data/checkpoints/orders2/segments/out/0/1-1") == "rows");
  REQUIRE(moved->record().next_checkpoint_id > id);
  REQUIRE(moved->record().job_id == original->record().job_id);
  REQUIRE(moved->record().attempt > original->record().attempt);
  REQUIRE(f.restored(*moved) == id);
  auto fork = f.open({"", path, false, false}, "orders3");
  REQUIRE(fork->record().job_id != original->record().job_id);
  REQUIRE(f.restored(*fork) == id);
}

TEST_CASE("a path that is no checkpoint and another max_parallelism are refused") {
  StoreDisk f;
  REQUIRE(f.try_open({"/data/nothing", "", false, false}).error().code == ErrorCode::kMissingState);
  f.must_checkpoint(*f.open());
  OpenJob job = f.job();
  job.max_parallelism = 256;
  const auto refused = CheckpointStore::open(f.disk, f.random, f.clock, job);
  REQUIRE(refused.error().code == ErrorCode::kIncompatibleState);
  REQUIRE(refused.error().message.find("128") != std::string::npos);
}

TEST_CASE("subsumed and aborted checkpoints leave nothing behind") {
  StoreDisk f;
  auto store = f.open();
  const int64_t one = f.must_checkpoint(*store);
  const int64_t two = f.must_checkpoint(*store);
  const int64_t aborted = *store->reserve_checkpoint_id();
  REQUIRE(store->remove(one));
  REQUIRE(store->completed_ids() == std::vector<int64_t>{two});
  store.reset();
  store = f.open();  // sweeps
  REQUIRE_FALSE(f.disk.exists("/data/checkpoints/orders/chk-" + std::to_string(one)));
  REQUIRE_FALSE(f.disk.exists("/data/checkpoints/orders/chk-" + std::to_string(aborted)));
  REQUIRE(f.restored(*store) == two);
}

TEST_CASE("a superseded owner can do nothing any more") {
  StoreDisk f;
  auto frozen = f.open();
  const int64_t mine = *frozen->reserve_checkpoint_id();
  auto owner = f.open({"", "", false, true});
  REQUIRE(frozen->check_ownership().error().code == ErrorCode::kSuperseded);
  REQUIRE(f.disk.create_directories(frozen->directory() + "/chk-" + std::to_string(mine)));
  REQUIRE(frozen->complete(mine, false, {}).error().code == ErrorCode::kSuperseded);
  REQUIRE(frozen->set_status(JobStatus::kFinished).error().code == ErrorCode::kSuperseded);
  REQUIRE(frozen->raise_attempt().error().code == ErrorCode::kSuperseded);
  REQUIRE(f.must_checkpoint(*owner) > mine);
  // The last gap: the owner changes between check and rename. The name is taken, so nothing is replaced.
  const int64_t raced = *owner->reserve_checkpoint_id();
  REQUIRE(owner->complete(raced, false, {}));
  REQUIRE(owner->complete(raced, false, {}).error().code == ErrorCode::kSuperseded);
}

TEST_CASE("whatever a crash of the disk takes, completed checkpoints stay and no id comes twice") {
  int64_t crashes = 0;
  for (int64_t point = 1; point < 400; ++point) {
    StoreDisk f;
    SeededRandom chance(static_cast<uint64_t>(point));
    std::set<int64_t> used;
    std::set<int64_t> attempts;
    int64_t acknowledged = 0;
    JobId job_id{};
    bool any_failed = false;
    f.disk.fail_after(point);
    for (int life = 0; life < 4; ++life) {
      auto store = f.try_open();
      if (life > 0 && !store && !f.disk.failed()) FAIL(store.error().to_string());
      if (store) {
        const JobRecord& record = (*store)->record();
        if (record.job_id != job_id) {
          REQUIRE(acknowledged == 0);  // a job without a checkpoint may be forgotten, then it is another job
          used.clear();
          attempts.clear();
          job_id = record.job_id;
        }
        REQUIRE(attempts.insert(record.attempt).second);
        REQUIRE(record.attempt == *attempts.rbegin());
        const int64_t restored = f.restored(**store);
        REQUIRE((restored >= acknowledged || f.disk.failed()));
        for (int i = 0; i < 3; ++i) {
          int64_t id = 0;
          if (!f.checkpoint(**store, id, [&](int64_t reserved) { REQUIRE(used.insert(reserved).second); })) break;
          acknowledged = id;
          (void)(*store)->remove(id - 2);
        }
      }
      any_failed |= f.disk.failed();
      store = make_error(ErrorCode::kInternal, "gone");
      f.disk.crash(chance);
      f.disk.fail_after(life < 2 ? static_cast<int64_t>(chance.below(60)) : -1);
    }
    crashes += any_failed ? 1 : 0;
  }
  REQUIRE(crashes > 100);
}

TEST_CASE("of two starts that saw the same attempt before, one is refused and the other stays the owner") {
  StoreDisk f;
  auto first = f.open();
  f.must_checkpoint(*first);
  // What a process left that froze while it started, as far as its successors can see.
  const std::string late = job_record_path(first->directory(), 2);
  auto second = f.open();
  REQUIRE(second->record().attempt == 2);
  auto third = f.open();
  REQUIRE_FALSE(f.disk.exists(late));
  REQUIRE(f.disk.create(late));  // it woke up; its record is older than that of the owner
  REQUIRE(third->check_ownership());
  f.must_checkpoint(*third);
  REQUIRE(f.open()->record().attempt == 4);
  REQUIRE_FALSE(f.disk.exists(late));
}

TEST_CASE("a flipped bit in the record or in the metadata is found") {
  StoreDisk f;
  const int64_t id = f.must_checkpoint(*f.open());
  const std::string directory = "/data/checkpoints/orders";
  for (const std::string& path :
       {job_record_path(directory, 1), directory + "/chk-" + std::to_string(id) + "/_metadata"}) {
    const std::string good = *f.disk.read_all(path);
    for (size_t at = 0; at < good.size(); ++at) {
      std::string bad = good;
      bad[at] = static_cast<char>(bad[at] ^ (1 << (at % 7)));
      // Blanks of the JSON carry nothing.
      if (good[at] == ' ' || good[at] == '\n') continue;
      Status read;
      if (path.ends_with(".json")) {
        auto record = decode_job_record(bad, path);
        if (!record) read = std::unexpected(record.error());
      } else {
        auto metadata = decode_checkpoint_metadata(bad, path);
        if (!metadata) read = std::unexpected(metadata.error());
        if (metadata) REQUIRE(*metadata == *decode_checkpoint_metadata(good, path));
      }
      INFO(path << " at " << at);
      REQUIRE_FALSE(read);
      REQUIRE(read.error().code == ErrorCode::kCorruptState);
      REQUIRE(read.error().message.find(path) != std::string::npos);
    }
  }
}

TEST_CASE("damage of the newest checkpoint is an error, and --restore of an older one goes on") {
  StoreDisk f;
  auto store = f.open();
  const int64_t one = f.must_checkpoint(*store);
  const int64_t two = f.must_checkpoint(*store);
  const std::string metadata = store->directory() + "/chk-" + std::to_string(two) + "/_metadata";
  REQUIRE(f.disk.truncate(metadata, 20));
  store = f.open();
  REQUIRE(store->newest().error().code == ErrorCode::kCorruptState);
  REQUIRE(store->newest().error().message.find(metadata) != std::string::npos);
  store = f.open({store->directory() + "/chk-" + std::to_string(one), "", false, false});
  REQUIRE(f.restored(*store) == one);
}

TEST_CASE("two processes on one directory: the second is refused with the pid of the first") {
  char root[] = "/tmp/millrace-lock-XXXXXX";
  REQUIRE(::mkdtemp(root) != nullptr);
  int ready[2];
  REQUIRE(::pipe(ready) == 0);
  SeededRandom random(4);
  const auto open_here = [&](bool take_over) {
    return CheckpointStore::open(local_file_system(), random, system_clock(),
                                 {root, "job", "", 128, {"", "", false, take_over}, true});
  };
  const pid_t child = ::fork();
  if (child == 0) {
    const auto held = open_here(false);
    if (::write(ready[1], held ? "y" : "n", 1) != 1) ::_exit(1);
    for (;;) ::pause();
  }
  char answer = 0;
  REQUIRE(::read(ready[0], &answer, 1) == 1);
  REQUIRE(answer == 'y');
  const auto refused = open_here(false);
  REQUIRE_FALSE(refused);
  REQUIRE(refused.error().code == ErrorCode::kDirectoryLocked);
  REQUIRE(refused.error().message.find(std::to_string(child)) != std::string::npos);
  const auto fresh = CheckpointStore::open(local_file_system(), random, system_clock(),
                                           {root, "job", "", 128, {"", "", true, false}, true});
  REQUIRE(fresh.error().code == ErrorCode::kDirectoryLocked);
  {
    const auto taken = open_here(true);
    REQUIRE(taken);
    REQUIRE((*taken)->record().attempt == 2);
    REQUIRE(open_here(false).error().message.find(std::to_string(::getpid())) != std::string::npos);
  }
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  ::close(ready[0]);
  ::close(ready[1]);
  REQUIRE(open_here(false));
  REQUIRE(local_file_system().remove_all(root));
}

TEST_CASE("a fresh start costs one fsync and a resumed one two") {
  char root[] = "/tmp/millrace-fsync-XXXXXX";
  REQUIRE(::mkdtemp(root) != nullptr);
  SeededRandom random(4);
  const OpenJob job{root, "job", "", 128, {}, true};
  uint64_t before = fsync_count();
  REQUIRE(CheckpointStore::open(local_file_system(), random, system_clock(), job));
  REQUIRE(fsync_count() - before == 1);
  before = fsync_count();
  REQUIRE(CheckpointStore::open(local_file_system(), random, system_clock(), job));
  REQUIRE(fsync_count() - before == 2);
  REQUIRE(local_file_system().remove_all(root));
}

}  // namespace millrace
