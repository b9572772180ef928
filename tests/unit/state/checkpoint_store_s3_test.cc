// The job's directory on object storage: no locks, no renames, and owners that freeze at any request.
#include <catch2/catch.hpp>

#include "core/s3/s3_file_system.h"
#include "state/checkpoint_store.h"
#include "tests/unit/core/s3/memory_s3.h"

using namespace millrace;

namespace {

struct S3Store {
  MemoryClient s3;
  S3FileSystem fs{s3.make()};
  SeededRandom ids{1};

  Result<std::unique_ptr<CheckpointStore>> open(StartRequest start = {}) {
    return CheckpointStore::open(
        fs, ids, s3.clock,
        {.root = "s3://bucket/ck", .name = "job", .spec = "x", .max_parallelism = 128, .start = std::move(start)});
  }
  /// A task's file of the checkpoint.
  void write(int64_t id) {
    auto file = *fs.create(checkpoint_path("s3://bucket/ck/job", id) + "/0-0-1.state");
    REQUIRE(file->append("state"));
    REQUIRE(file->sync());
  }
  std::vector<SnapshotHandle> handles(int64_t id) {
    return {{{0, 0}, "chk-" + std::to_string(id) + "/0-0-1.state", 5, 7, {}}};
  }
};

}  // namespace

TEST_CASE("a job's directory on S3 is opened, filled and resumed without a lock") {
  S3Store storage;
  {
    auto store = *storage.open();
    const int64_t id = *store->reserve_checkpoint_id();
    storage.write(id);
    REQUIRE(store->complete(id, false, storage.handles(id)));
    CHECK(store->directory() == "s3://bucket/ck/job");
  }
  auto store = *storage.open();
  CHECK(store->record().attempt == 2);
  const auto newest = *store->newest();
  REQUIRE(newest);
  CHECK(newest->handles[0].file == "s3://bucket/ck/job/chk-1/0-0-1.state");
  REQUIRE(store->remove(newest->checkpoint_id));
  CHECK_FALSE(store->newest()->has_value());
}

TEST_CASE("an owner that froze before it gave a checkpoint its name finds it given up, or has completed it") {
  S3Store storage;
  auto frozen = *storage.open();
  const int64_t id = *frozen->reserve_checkpoint_id();
  storage.write(id);
  std::unique_ptr<CheckpointStore> successor;
  // The successor starts when the frozen owner's last request is on its way, behind its look at the records.
  storage.s3.server.fault_of = [&](const S3HttpRequest& request) {
    if (request.method == "PUT" && request.target == "/bucket/ck/job/chk-1/_metadata" && !request.body.empty()) {
      storage.s3.server.fault_of = nullptr;
      successor = *storage.open();
    }
    return MemoryS3::Fault::kNone;
  };
  const Status completed = frozen->complete(id, false, storage.handles(id));
  REQUIRE_FALSE(completed);
  CHECK(completed.error().code == ErrorCode::kSuperseded);
  CHECK_FALSE(successor->newest()->has_value());
  CHECK_FALSE(storage.fs.exists("s3://bucket/ck/job/chk-1/0-0-1.state"));
  // The name stays taken until a newer checkpoint makes the old one harmless.
  auto third = *storage.open();
  CHECK_FALSE(third->newest()->has_value());
  CHECK(storage.fs.exists("s3://bucket/ck/job/chk-1/_metadata"));
  const int64_t later = *third->reserve_checkpoint_id();
  storage.write(later);
  REQUIRE(third->complete(later, false, storage.handles(later)));
  auto fourth = *storage.open();
  CHECK(fourth->newest()->value().checkpoint_id == later);
  CHECK_FALSE(storage.fs.exists("s3://bucket/ck/job/chk-1/_metadata"));
}

TEST_CASE("a completion whose answer was lost counts, and one that failed leaves its files to the successor") {
  S3Store storage;
  auto store = *storage.open();
  const int64_t id = *store->reserve_checkpoint_id();
  storage.write(id);
  const auto fault_at_name = [&](MemoryS3::Fault fault, bool once) {
    storage.s3.server.fault_of = [&storage, fault, once](const S3HttpRequest& request) {
      if (request.method != "PUT" || !request.target.ends_with("_metadata")) return MemoryS3::Fault::kNone;
      if (once) storage.s3.server.fault_of = nullptr;
      return fault;
    };
  };
  fault_at_name(MemoryS3::Fault::kLostAnswer, true);
  REQUIRE(store->complete(id, false, storage.handles(id)));
  CHECK(store->newest()->value().checkpoint_id == id);
  const int64_t next = *store->reserve_checkpoint_id();
  storage.write(next);
  fault_at_name(MemoryS3::Fault::k503, false);
  CHECK(store->complete(next, false, storage.handles(next)).error().code == ErrorCode::kExternalFailed);
  storage.s3.server.fault_of = nullptr;
  REQUIRE(store->remove(next));
  CHECK(storage.fs.exists("s3://bucket/ck/job/chk-2/0-0-1.state"));
}

TEST_CASE("a raise of the attempt that seemed to fail is no other owner") {
  S3Store storage;
  auto store = *storage.open();
  bool stored = false;
  storage.s3.server.fault_of = [&](const S3HttpRequest& request) {
    if (request.method != "PUT" || !request.target.ends_with("job-2.json")) return MemoryS3::Fault::kNone;
    return std::exchange(stored, true) ? MemoryS3::Fault::k503 : MemoryS3::Fault::kLostAnswer;
  };
  CHECK(store->raise_attempt().error().code == ErrorCode::kExternalFailed);
  storage.s3.server.fault_of = nullptr;
  CHECK(*store->raise_attempt() == 3);
  CHECK(store->check_ownership());
}

TEST_CASE("of two starts at the same moment one gets the job") {
  S3Store storage;
  std::unique_ptr<CheckpointStore> other;
  storage.s3.server.fault_of = [&](const S3HttpRequest& request) {
    if (request.method == "PUT" && request.target == "/bucket/ck/job/job-1.json") {
      storage.s3.server.fault_of = nullptr;
      other = *storage.open();
    }
    return MemoryS3::Fault::kNone;
  };
  const auto lost = storage.open();
  REQUIRE_FALSE(lost);
  CHECK(lost.error().code == ErrorCode::kSuperseded);
  CHECK(other->record().attempt == 1);
}

TEST_CASE("an S3 that does not answer is no fresh start") {
  S3Store storage;
  {
    auto store = *storage.open();
    const int64_t id = *store->reserve_checkpoint_id();
    storage.write(id);
    REQUIRE(store->complete(id, false, storage.handles(id)));
  }
  // Whichever request finds S3 gone, the start fails or restores what is there.
  for (size_t nth = 0; nth < 12; ++nth) {
    size_t seen = 0;
    storage.s3.server.fault_of = [&, nth](const S3HttpRequest&) {
      return seen++ >= nth ? MemoryS3::Fault::k503 : MemoryS3::Fault::kNone;
    };
    const auto store = storage.open();
    storage.s3.server.fault_of = nullptr;
    if (store) CHECK((*store)->newest()->value().checkpoint_id == 1);
    CHECK(storage.fs.exists("s3://bucket/ck/job/chk-1/0-0-1.state"));
  }
}

TEST_CASE("a fresh start moves the old directory aside, object by object") {
  S3Store storage;
  {
    auto store = *storage.open();
    const int64_t id = *store->reserve_checkpoint_id();
    storage.write(id);
    REQUIRE(store->complete(id, false, storage.handles(id)));
  }
  StartRequest fresh;
  fresh.fresh = true;
  auto store = *storage.open(fresh);
  CHECK_FALSE(store->newest()->has_value());
  CHECK(read_checkpoint(storage.fs, "s3://bucket/ck/job.old-1/chk-1"));
}
