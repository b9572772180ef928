// Files of spill stores on a real disk, where they get second names, and on object storage, where they are copied.
#include "state/shared_uploads.h"

#include <stdlib.h>
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <set>

#include "core/s3/s3_file_system.h"
#include "state/checkpoint_store.h"
#include "state/shared_directory.h"
#include "state/snapshot_file.h"
#include "tests/unit/core/s3/memory_s3.h"
#include "tests/unit/state/simulated_disk.h"
#include "tests/unit/state/spill_model.h"

using namespace millrace;

namespace {

ino_t inode_of(const std::string& path) {
  struct stat info{};
  return ::stat(path.c_str(), &info) == 0 ? info.st_ino : 0;
}

}  // namespace

TEST_CASE("on one disk a shared file gets a second name on its way there and back") {
  char root[] = "/tmp/millrace-shared-XXXXXX";
  REQUIRE(::mkdtemp(root) != nullptr);
  FileSystem& fs = local_file_system();
  const std::string job = std::string(root) + "/job";
  const std::string table = std::string(root) + "/000012.sst";
  const std::string manifest = std::string(root) + "/MANIFEST";
  REQUIRE(write_file_durably(fs, table, "rows"));
  REQUIRE(write_file_durably(fs, manifest, std::string(100'000, 'm')));
  SnapshotFileWriter writer(fs, job, "chk-1/0-0-1.state", 128);
  REQUIRE(writer.add_file(SnapshotFileKind::kShared, "a-000012.sst", table));
  REQUIRE(writer.add_file(SnapshotFileKind::kOwn, "MANIFEST", manifest));
  const std::string states = std::string(root) + "/states";
  REQUIRE(write_file_durably(fs, states, no_spill_states()));
  REQUIRE(writer.add_file(SnapshotFileKind::kOwn, kSpillStatesFile, states));
  const SnapshotHandle handle = *writer.finish({0, 0});
  REQUIRE(inode_of(table) == inode_of(job + "/shared/a-000012.sst"));
  REQUIRE(inode_of(manifest) != inode_of(job + "/chk-1/0-0-1.MANIFEST"));  // it grows

  const auto restored = *RestoredSnapshots::open(fs, job, std::vector{handle}, 128);
  REQUIRE(restored->verify());
  const std::vector<RestoredStore> stores = restored->stores();
  for (const RestoredFile& file : stores.at(0).files) {
    const std::string to = std::string(root) + "/back-" + file.name;
    REQUIRE(restored->fetch(file, to));
    REQUIRE((inode_of(to) == inode_of(table)) == (file.name == "a-000012.sst"));
    // Once more over what is there: the shared file must not be written through its second name.
    REQUIRE(restored->fetch(file, to));
    REQUIRE(restored->verify());
  }
  REQUIRE(fs.remove_all(root));
}

TEST_CASE("on object storage a file is uploaded once, held, and removed with the last checkpoint that names it") {
  MemoryClient s3;
  S3FileSystem fs(s3.make());
  SimulatedDisk local;
  SeededRandom ids{1};
  const auto open = [&] {
    return *CheckpointStore::open(
        fs, ids, s3.clock, {.root = "s3://bucket/ck", .name = "job", .spec = "x", .max_parallelism = 128, .start = {}});
  };
  REQUIRE(local.create_directories("/local"));
  for (const char* name : {"1", "2", "3"}) {
    REQUIRE(write_file_durably(local, std::string("/local/") + name, std::string(name) + " rows"));
  }
  REQUIRE(write_file_durably(local, "/local/states", no_spill_states()));
  const auto snapshot = [&](CheckpointStore& store, SharedUploads& uploads, int64_t id,
                            const std::vector<std::string>& names) {
    SnapshotFileWriter writer(fs, store.directory(), snapshot_file_name(id, store.record().attempt, {0, 0}), 128,
                              &uploads, local);
    for (const std::string& name : names) {
      REQUIRE(writer.add_file(SnapshotFileKind::kShared, "a-" + name, "/local/" + name));
    }
    REQUIRE(writer.add_file(SnapshotFileKind::kOwn, kSpillStatesFile, "/local/states"));
    SnapshotHandle handle = *writer.finish({0, 0});
    uploads.snapshot_written(id, handle);
    return handle;
  };
  const auto shared = [&] {
    std::set<std::string> names;
    const auto entries = fs.list("s3://bucket/ck/job/shared");
    REQUIRE(entries);
    for (const DirEntry& entry : *entries) names.insert(entry.name);
    return names;
  };
  auto store = open();
  SharedUploads uploads(fs, local, store->directory());
  const int64_t one = *store->reserve_checkpoint_id();
  REQUIRE(store->complete(one, false, {snapshot(*store, uploads, one, {"1", "2"})}));
  uploads.checkpoint_completed(one);
  const int64_t two = *store->reserve_checkpoint_id();
  const SnapshotHandle second = snapshot(*store, uploads, two, {"2"});
  REQUIRE(second.written == second.bytes);
  REQUIRE(store->complete(two, false, {second}));
  REQUIRE(shared() == std::set<std::string>{"a-1", "a-2"});
  REQUIRE(store->remove(one));
  REQUIRE(shared() == std::set<std::string>{"a-2"});
  // Dies with a checkpoint under way: its upload goes, what is held stays and can be fetched.
  snapshot(*store, uploads, *store->reserve_checkpoint_id(), {"2", "3"});
  REQUIRE(shared() == std::set<std::string>{"a-2", "a-3"});
  store = open();
  REQUIRE(shared() == std::set<std::string>{"a-2"});
  const auto newest = *store->newest();
  REQUIRE(newest);
  const auto restored = *RestoredSnapshots::open(fs, store->directory(), newest->handles, 128, local);
  REQUIRE(restored->verify());
  REQUIRE(restored->fetch(restored->stores().at(0).files.back(), "/local/back"));
  REQUIRE(*local.read_all("/local/back") == "2 rows");
}
