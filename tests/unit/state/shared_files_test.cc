// Files of spill stores on their way: into shared/, held by checkpoints, removed with the last of them, into
// savepoints, back onto the local disk.
#include <catch2/catch.hpp>
#include <functional>
#include <set>

#include "core/bytes.h"
#include "core/hash.h"
#include "state/checkpoint_store.h"
#include "state/job_record.h"
#include "state/savepoint.h"
#include "state/shared_directory.h"
#include "state/snapshot_format.h"
#include "tests/unit/state/simulated_disk.h"
#include "tests/unit/state/spill_model.h"

namespace millrace {

namespace {

constexpr const char* kOrders = "/jobs/orders";
constexpr uint32_t kGroups = 128;

struct SpillDisk {
  SimulatedDisk disk;
  SeededRandom random{1};
  ManualClock clock{1000};
  uint64_t instances = 0;

  SpillDisk() { REQUIRE(disk.create_directories("/local")); }

  std::unique_ptr<CheckpointStore> open(StartRequest start = {}, std::string name = "orders") {
    auto store =
        CheckpointStore::open(disk, random, clock, {"/jobs", std::move(name), "", kGroups, std::move(start), false});
    if (!store) FAIL(store.error().to_string());
    return std::move(*store);
  }
  Result<std::shared_ptr<const RestoredSnapshots>> restored(const CheckpointMetadata& metadata) {
    return RestoredSnapshots::open(disk, "", metadata.handles, kGroups, disk);
  }
  std::set<std::string> shared(const std::string& directory = kOrders) {
    std::set<std::string> names;
    const auto entries = disk.list(shared_directory(directory));
    for (size_t i = 0; entries && i < entries->size(); ++i) names.insert((*entries)[i].name);
    return names;
  }
};

/// An attempt of the job: its owner and one task with a store.
struct SpillAttempt {
  SpillDisk& f;
  CheckpointStore& store;
  SpillModel model;
  SharedUploads uploads;

  SpillAttempt(SpillDisk& disk, CheckpointStore& of)
      : f(disk), store(of), model(disk.disk, ++disk.instances), uploads(disk.disk, disk.disk, of.directory()) {
    (void)model.open();  // a disk that is gone shows later
  }

  Status restore() {
    MR_ASSIGN(const auto newest, store.newest());
    if (!newest) return {};
    uploads.restored(newest->handles);
    MR_ASSIGN(const auto snapshots, f.restored(*newest));
    return model.restore(*snapshots);
  }
  Result<SnapshotHandle> snapshot(int64_t id) {
    SnapshotFileWriter writer(f.disk, store.directory(), snapshot_file_name(id, store.record().attempt, {0, 0}),
                              kGroups, &uploads, f.disk);
    MR_TRY(model.snapshot(writer));
    MR_ASSIGN(SnapshotHandle handle, writer.finish({0, 0}));
    uploads.snapshot_written(id, handle);
    return handle;
  }
  Result<SnapshotHandle> try_checkpoint() {
    MR_ASSIGN(const int64_t id, store.reserve_checkpoint_id());
    MR_ASSIGN(const SnapshotHandle handle, snapshot(id));
    MR_TRY(store.complete(id, false, {handle}));
    uploads.checkpoint_completed(id);
    return handle;
  }
  SnapshotHandle checkpoint() {
    auto handle = try_checkpoint();
    if (!handle) FAIL(handle.error().to_string());
    return *handle;
  }
  void grow(int files = 1) {
    for (int i = 0; i < files; ++i) REQUIRE(model.grow());
  }
  std::string name(int n) const { return model.instance() + "-" + std::to_string(n); }
};

std::string with_version(std::string bytes, uint32_t version) {
  std::memcpy(bytes.data() + 8, &version, sizeof version);
  return bytes;
}

}  // namespace

TEST_CASE("small files are packed, large ones stand beside the task's file, shared ones are in shared/") {
  SpillDisk f;
  const std::string large(kPackedFileBytesMax + 1, 'l');
  REQUIRE(write_file_durably(f.disk, "/local/small", "manifest"));
  REQUIRE(write_file_durably(f.disk, "/local/large", large));
  REQUIRE(write_file_durably(f.disk, "/local/table", "rows"));
  SnapshotFileWriter writer(f.disk, kOrders, "chk-7/0-1-3.state", kGroups, nullptr, f.disk);
  const StateDescriptor state{"step", "state", StateKind::kKeyed, "x"};
  REQUIRE(writer.begin(state));
  REQUIRE(writer.add(5, "key", "value"));
  REQUIRE(writer.add_file(SnapshotFileKind::kOwn, "MANIFEST.1", "/local/small"));
  REQUIRE(writer.add(4, "key2", "value"));
  REQUIRE(writer.add_file(SnapshotFileKind::kOwn, "OPTIONS", "/local/large"));
  REQUIRE(writer.add_file(SnapshotFileKind::kShared, "a-1.sst", "/local/table"));
  REQUIRE(write_file_durably(f.disk, "/local/states", no_spill_states()));
  REQUIRE(writer.add_file(SnapshotFileKind::kOwn, kSpillStatesFile, "/local/states"));
  REQUIRE(writer.add_file(SnapshotFileKind::kShared, "../a", "/local/table").error().code == ErrorCode::kBadValue);
  const SnapshotHandle handle = *writer.finish({0, 1});
  REQUIRE(handle.shared == std::vector<SharedFile>{{"a-1.sst", 4, hash64("rows")}});
  REQUIRE(handle.own == std::vector<SharedFile>{{"chk-7/0-1-3.OPTIONS", large.size(), hash64(large)}});
  REQUIRE(handle.full_bytes() == handle.bytes + 4 + large.size());
  REQUIRE(handle.written == handle.full_bytes());

  const auto restored = *RestoredSnapshots::open(f.disk, kOrders, std::vector{handle}, kGroups, f.disk);
  REQUIRE(restored->verify());
  REQUIRE(restored->states().at(0).rows == 2);
  const std::vector<RestoredStore> stores = restored->stores();
  REQUIRE(stores.size() == 1);
  REQUIRE(stores[0].task == TaskId{0, 1});
  std::map<std::string, std::string> contents;
  for (const RestoredFile& file : stores[0].files) {
    REQUIRE(write_file_durably(f.disk, "/local/back", "in the way"));
    REQUIRE(restored->fetch(file, "/local/back"));
    if (file.name != kSpillStatesFile) contents[file.name] = *f.disk.read_all("/local/back");
  }
  REQUIRE(contents ==
          std::map<std::string, std::string>{{"MANIFEST.1", "manifest"}, {"OPTIONS", large}, {"a-1.sst", "rows"}});
}

TEST_CASE("a file that a completed checkpoint holds is not written again, and goes with the last one that holds it") {
  SpillDisk f;
  const auto store = f.open();
  SpillAttempt run(f, *store);
  run.grow(2);
  const SnapshotHandle first = run.checkpoint();
  REQUIRE(first.written == first.full_bytes());
  const std::string before = *f.disk.read_all(std::string(kOrders) + "/shared/" + run.name(1));
  run.model.drop(run.name(2));
  run.grow();
  const SnapshotHandle second = run.checkpoint();
  REQUIRE(second.written == second.bytes + spill_content(run.name(3)).size());
  REQUIRE(f.shared() == std::set<std::string>{run.name(1), run.name(2), run.name(3)});
  REQUIRE(store->remove(store->completed_ids().front()));
  REQUIRE(f.shared() == std::set<std::string>{run.name(1), run.name(3)});
  // In the next attempt the restored files are confirmed as well.
  REQUIRE(store->raise_attempt());
  SpillAttempt next(f, *store);
  REQUIRE(next.restore());
  REQUIRE(next.checkpoint().written == next.checkpoint().bytes);
}

TEST_CASE("uploads of a failed checkpoint are used by the next one, and go when that does not need them") {
  SpillDisk f;
  const auto store = f.open();
  SpillAttempt run(f, *store);
  run.grow(2);
  const int64_t failed = *store->reserve_checkpoint_id();
  REQUIRE(run.snapshot(failed));
  REQUIRE(store->remove(failed));
  REQUIRE(f.shared() == std::set<std::string>{run.name(1), run.name(2)});
  // A task that comes late writes where the checkpoint was.
  REQUIRE(f.disk.create_directories(checkpoint_path(kOrders, failed)));
  run.model.drop(run.name(2));
  const SnapshotHandle handle = run.checkpoint();
  REQUIRE(handle.written == handle.bytes);
  REQUIRE(f.shared() == std::set<std::string>{run.name(1)});
  REQUIRE_FALSE(f.disk.exists(checkpoint_path(kOrders, failed)));
}

TEST_CASE("what lies in shared/ is compared before it is used") {
  SpillDisk f;
  const auto store = f.open();
  for (const bool damaged : {false, true}) {
    SpillAttempt run(f, *store);
    run.grow();
    std::string content = spill_content(run.name(1));
    if (damaged) content.back() = '!';
    REQUIRE(f.disk.create_directories(shared_directory(kOrders)));
    REQUIRE(write_file_durably(f.disk, shared_directory(kOrders) + "/" + run.name(1), content));
    const SnapshotHandle handle = run.checkpoint();
    REQUIRE((handle.written > handle.bytes) == damaged);
    REQUIRE((*f.restored(**store->newest()))->verify());
  }
}

TEST_CASE("a checkpoint whose files are not all there does not complete") {
  SpillDisk f;
  const auto store = f.open();
  SpillAttempt run(f, *store);
  run.grow(2);
  const int64_t id = *store->reserve_checkpoint_id();
  const SnapshotHandle handle = *run.snapshot(id);
  REQUIRE(f.disk.truncate(shared_directory(kOrders) + "/" + run.name(2), 3));
  const Status refused = store->complete(id, false, {handle});
  REQUIRE(refused.error().code == ErrorCode::kCheckpointFailed);
  REQUIRE(refused.error().message.contains(run.name(2)));
  SnapshotHandle outside = handle;
  outside.shared[0].name = "../../orders2/shared/x";
  REQUIRE(store->complete(id, false, {outside}).error().code == ErrorCode::kBadValue);
  REQUIRE(store->completed_ids().empty());
}

TEST_CASE("a start removes what no checkpoint holds, unless the metadata of one cannot be read") {
  SpillDisk f;
  auto store = f.open();
  SpillAttempt run(f, *store);
  run.grow(2);
  run.checkpoint();
  run.grow();
  REQUIRE(run.snapshot(*store->reserve_checkpoint_id()));
  REQUIRE(write_file_durably(f.disk, shared_directory(kOrders) + "/tmp-0-0-1-x", "half"));
  const std::set<std::string> all = f.shared();
  REQUIRE(all.size() == 4);
  const std::string metadata = checkpoint_path(kOrders, store->completed_ids().at(0)) + "/_metadata";
  const std::string good = *f.disk.read_all(metadata);
  REQUIRE(f.disk.truncate(metadata, 9));
  store = f.open();
  REQUIRE(f.shared() == all);
  REQUIRE(write_file_durably(f.disk, metadata, good));
  store = f.open();
  REQUIRE(f.shared() == std::set<std::string>{run.name(1), run.name(2)});
  REQUIRE((*f.restored(**store->newest()))->verify());
}

TEST_CASE("a missing, truncated or changed file is named") {
  SpillDisk f;
  const auto store = f.open();
  SpillAttempt run(f, *store);
  run.grow(2);
  run.checkpoint();
  const auto snapshots = *f.restored(**store->newest());
  const RestoredFile file = snapshots->stores().at(0).files.at(1);
  const std::string good = *f.disk.read_all(file.path);
  const auto expect = [&](const Status& status, const char* what) {
    REQUIRE_FALSE(status);
    REQUIRE(status.error().code == ErrorCode::kCorruptState);
    REQUIRE(status.error().message.contains(file.path));
    REQUIRE(status.error().message.contains(what));
  };
  REQUIRE(f.disk.truncate(file.path, 5));
  expect(snapshots->verify(), "5 bytes instead of");
  expect(snapshots->fetch(file, "/local/back"), "5 bytes instead of");
  std::string flipped = good;
  flipped[7] = static_cast<char>(flipped[7] ^ 4);
  REQUIRE(write_file_durably(f.disk, file.path, flipped));
  expect(snapshots->verify(), "checksum mismatch");
  // A copy is compared; a second name costs nothing and shows the same bytes.
  SimulatedDisk other;
  REQUIRE(other.create_directories("/elsewhere"));
  const auto remote = *RestoredSnapshots::open(f.disk, "", (**store->newest()).handles, kGroups, other);
  expect(remote->fetch(file, "/elsewhere/back"), "checksum mismatch");
  REQUIRE(f.disk.remove(file.path));
  expect(snapshots->verify(), "missing");
  expect(snapshots->fetch(file, "/local/back"), "missing");
}

TEST_CASE("a savepoint holds its files itself, and a fork of it or of a checkpoint elsewhere copies them") {
  SpillDisk f;
  auto store = f.open();
  SpillAttempt run(f, *store);
  run.grow(3);
  run.checkpoint();
  const int64_t id = store->completed_ids().back();
  REQUIRE(write_savepoint(f.disk, kOrders, id, "/savepoints/one"));
  const auto fork_of = [&](const std::string& path, const std::string& name) {
    const auto fork = f.open({"", path, false, false}, name);
    SpillAttempt forked(f, *fork);
    REQUIRE(forked.restore());
    REQUIRE(forked.model.files().size() == 3);
    const SnapshotHandle handle = forked.checkpoint();
    REQUIRE(handle.written == handle.full_bytes());
    REQUIRE(f.shared("/jobs/" + name).size() == 3);
    REQUIRE((*f.restored(**fork->newest()))->verify());
  };
  fork_of(checkpoint_path(kOrders, id), "fork1");
  store.reset();
  REQUIRE(f.disk.remove_all(kOrders));
  fork_of("/savepoints/one", "fork2");
  // A damaged file is noticed while it is copied.
  store = f.open();
  SpillAttempt again(f, *store);
  again.grow();
  again.checkpoint();
  REQUIRE(write_file_durably(f.disk, shared_directory(kOrders) + "/" + again.name(1),
                             std::string(spill_content(again.name(1)).size(), '?')));
  const Status refused = write_savepoint(f.disk, kOrders, store->completed_ids().back(), "/savepoints/two");
  REQUIRE(refused.error().code == ErrorCode::kCorruptState);
  REQUIRE(read_checkpoint(f.disk, "/savepoints/two").error().code == ErrorCode::kMissingState);
}

TEST_CASE("an owner that was frozen cannot take its successor's files away") {
  SpillDisk f;
  const auto frozen = f.open();
  SpillAttempt before(f, *frozen);
  before.grow(2);
  before.checkpoint();
  const int64_t one = frozen->completed_ids().back();
  before.model.drop(before.name(1));
  before.checkpoint();
  // Another process takes over and goes back to the first checkpoint.
  const auto owner = f.open({checkpoint_path(kOrders, one), "", false, true});
  SpillAttempt after(f, *owner);
  REQUIRE(after.restore());
  REQUIRE(frozen->remove(one));  // as it was about to
  after.checkpoint();
  const int64_t late = *frozen->reserve_checkpoint_id();
  REQUIRE(frozen->complete(late, false, {*before.snapshot(late)}).error().code == ErrorCode::kSuperseded);
  REQUIRE(f.shared().contains(before.name(1)));
  REQUIRE((*f.restored(**owner->newest()))->verify());
}

TEST_CASE("whatever a crash of the disk takes, a checkpoint that exists has all its files") {
  int crashes = 0;
  int verified = 0;
  for (int64_t point = 1; point < 700; ++point) {
    SpillDisk f;
    SeededRandom chance(static_cast<uint64_t>(point));
    bool any_failed = false;
    const auto live = [&](CheckpointStore& store) -> Status {
      SpillAttempt run(f, store);
      MR_TRY(run.restore());
      for (int i = 0; i < 4; ++i) {
        for (uint64_t more = 1 + chance.below(2); more > 0; --more) MR_TRY(run.model.grow());
        if (chance.below(2) == 0) run.model.drop(run.model.files().begin()->first);
        if (chance.below(4) == 0) {  // one that fails
          MR_ASSIGN(const int64_t id, store.reserve_checkpoint_id());
          MR_TRY(run.snapshot(id));
          MR_TRY(store.remove(id));
        }
        MR_TRY(run.try_checkpoint());
        if (store.completed_ids().size() > 2) MR_TRY(store.remove(store.completed_ids().front()));
      }
      return {};
    };
    f.disk.fail_after(point);
    for (int life = 0; life < 4; ++life) {
      auto store = CheckpointStore::open(f.disk, f.random, f.clock, {"/jobs", "orders", "", kGroups, {}, false});
      Status lived = store ? Status{} : std::unexpected(store.error());
      if (lived) lived = f.disk.create_directories("/local");
      if (lived) lived = live(**store);
      if (!lived && !f.disk.failed()) FAIL(lived.error().to_string());
      any_failed |= f.disk.failed();
      store = make_error(ErrorCode::kInternal, "gone");
      // The machine loses its power, or the process only was killed.
      if (chance.below(3) > 0) f.disk.crash(chance);
      f.disk.fail_after(-1);
      const auto ids = f.disk.exists(kOrders) ? completed_checkpoints(f.disk, kOrders) : std::vector<int64_t>{};
      REQUIRE(ids);
      for (const int64_t id : *ids) {
        const auto metadata = read_checkpoint(f.disk, checkpoint_path(kOrders, id));
        if (!metadata) FAIL(metadata.error().to_string());
        INFO("point " << point << ", life " << life << ", checkpoint " << id);
        const auto snapshots = f.restored(*metadata);
        if (!snapshots) FAIL(snapshots.error().to_string());
        const Status whole = (*snapshots)->verify();
        if (!whole) FAIL(whole.error().to_string());
        ++verified;
      }
      f.disk.fail_after(life < 2 ? static_cast<int64_t>(chance.below(300)) : -1);
    }
    crashes += any_failed ? 1 : 0;
    // Nothing is left over when all is quiet again.
    f.disk.fail_after(-1);
    const auto store = f.open();
    std::set<std::string> held;
    for (const int64_t id : store->completed_ids()) {
      const auto metadata = read_checkpoint(f.disk, checkpoint_path(kOrders, id));
      REQUIRE(metadata);
      for (const SnapshotHandle& handle : metadata->handles) {
        for (const SharedFile& file : handle.shared) held.insert(shared_name(file.name));
      }
    }
    REQUIRE(f.shared() == held);
  }
  REQUIRE(crashes > 300);
  REQUIRE(verified > 1000);
}

TEST_CASE("a checkpoint that was half removed does not come back without its files") {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    SpillDisk f;
    SeededRandom chance(seed);
    auto store = f.open();
    SpillAttempt run(f, *store);
    run.grow(2);
    run.checkpoint();
    run.model.drop(run.name(1));
    run.checkpoint();
    f.disk.fail_after(1);  // dies behind the removal of the metadata
    REQUIRE_FALSE(store->remove(store->completed_ids().front()));
    f.disk.fail_after(-1);
    store = f.open();  // sweeps
    REQUIRE(f.shared() == std::set<std::string>{run.name(2)});
    f.disk.crash(chance);
    const auto ids = completed_checkpoints(f.disk, kOrders);
    REQUIRE(ids);
    for (const int64_t id : *ids) {
      const auto metadata = read_checkpoint(f.disk, checkpoint_path(kOrders, id));
      REQUIRE(metadata);
      const auto snapshots = f.restored(*metadata);
      REQUIRE(snapshots);
      REQUIRE((*snapshots)->verify());
    }
  }
}

TEST_CASE("metadata and task files of format version 1 are still read") {
  SpillDisk f;
  SnapshotFileWriter writer(f.disk, kOrders, "chk-1/0-0-1.state", kGroups, nullptr, f.disk);
  const StateDescriptor state{"step", "state", StateKind::kKeyed, "x"};
  REQUIRE(writer.begin(state));
  REQUIRE(writer.add(5, "key", "value"));
  SnapshotHandle handle = *writer.finish({0, 0});
  // Version 1: the footer ends behind the states, here one byte (no packed files) earlier.
  std::string file = *f.disk.read_all(std::string(kOrders) + "/" + handle.file);
  const size_t footer_at = file.size() - kSnapshotTailBytes;
  uint64_t offset = 0;
  std::memcpy(&offset, file.data() + footer_at, sizeof offset);
  const std::string footer = file.substr(offset, footer_at - offset - 1);
  std::string header = with_version(file.substr(0, kSnapshotHeaderBytes - 4), 1);
  ByteWriter old;
  old.put_raw(header);
  old.put(crc32c(header));
  old.put_raw(file.substr(kSnapshotHeaderBytes, offset - kSnapshotHeaderBytes));
  old.put_raw(footer);
  old.put(offset);
  old.put(static_cast<uint32_t>(footer.size()));
  old.put(crc32c(footer));
  old.put_raw(kSnapshotEndMagic);
  handle.bytes = old.size();
  handle.crc = crc32c(footer);
  handle.written = 0;
  REQUIRE(write_file_durably(f.disk, std::string(kOrders) + "/" + handle.file, old.view()));
  const auto restored = *RestoredSnapshots::open(f.disk, kOrders, std::vector{handle}, kGroups, f.disk);
  REQUIRE(restored->verify());
  REQUIRE(restored->states().at(0).rows == 1);
  REQUIRE(restored->stores().empty());

  const CheckpointMetadata metadata{.checkpoint_id = 1,
                                    .job_id = {},
                                    .job_name = "orders",
                                    .attempt = 1,
                                    .completed_ms = 2,
                                    .final = false,
                                    .unaligned = false,
                                    .max_parallelism = kGroups,
                                    .handles = {handle}};
  std::string bytes = encode_checkpoint_metadata(metadata);
  // The three empty fields of the only handle and the checksum.
  bytes = with_version(bytes.substr(0, bytes.size() - 3 - 4), 1);
  ByteWriter record;
  record.put_raw(bytes);
  record.put(crc32c(bytes));
  REQUIRE(*decode_checkpoint_metadata(record.view(), "x") == metadata);
}

}  // namespace millrace
