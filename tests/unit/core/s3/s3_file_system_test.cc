#include "core/s3/s3_file_system.h"

#include <catch2/catch.hpp>

#include "tests/unit/core/s3/memory_s3.h"

using namespace millrace;

namespace {

struct S3Disk {
  MemoryClient s3;
  S3FileSystem fs{s3.make()};
};

Status put(FileSystem& fs, const std::string& path, std::string_view bytes) {
  MR_ASSIGN(const auto file, fs.create(path));
  MR_TRY(file->append(bytes));
  MR_TRY(file->sync());
  return file->close();
}

}  // namespace

TEST_CASE("a file on S3 is there when it was synced, and not before") {
  S3Disk disk;
  auto file = *disk.fs.create("s3://bucket/d/f");
  REQUIRE(file->append("ab"));
  CHECK_FALSE(disk.fs.exists("s3://bucket/d/f"));
  REQUIRE(file->sync());
  CHECK(*disk.fs.read_all("s3://bucket/d/f") == "ab");
  CHECK_FALSE(file->append("c"));
  CHECK(*disk.fs.contains("s3://bucket/d"));
  {
    auto dropped = *disk.fs.create("s3://bucket/d/g");
  }
  CHECK(disk.fs.list("s3://bucket/d")->size() == 1);
}

TEST_CASE("ranges of an object are read in growing windows") {
  S3Disk disk;
  std::string bytes;
  for (int i = 0; bytes.size() < 3'000'000; ++i) bytes += std::to_string(i);
  REQUIRE(put(disk.fs, "s3://bucket/f", bytes));
  auto file = *disk.fs.open("s3://bucket/f");
  CHECK(*file->size() == bytes.size());
  const size_t before = disk.s3.server.seen.size();
  std::string read;
  std::string piece(10'000, '\0');
  while (true) {
    const size_t got = *file->read_at(read.size(), piece.data(), piece.size());
    if (got == 0) break;
    read.append(piece, 0, got);
  }
  CHECK(read == bytes);
  CHECK(disk.s3.server.seen.size() - before < 10);
  CHECK(*file->read_at(bytes.size() - 3, piece.data(), piece.size()) == 3);
  CHECK(*file->read_at(bytes.size() + 3, piece.data(), piece.size()) == 0);
  REQUIRE(put(disk.fs, "s3://bucket/small", "tiny"));
  REQUIRE(put(disk.fs, "s3://bucket/empty", ""));
  const size_t before_small = disk.s3.server.seen.size();
  auto small = *disk.fs.open("s3://bucket/small");
  CHECK(*small->size() == 4);
  CHECK(*small->read_at(1, piece.data(), piece.size()) == 3);
  CHECK(piece.substr(0, 3) == "iny");
  CHECK(disk.s3.server.seen.size() == before_small + 1);
  CHECK(*(*disk.fs.open("s3://bucket/empty"))->size() == 0);
  CHECK(disk.fs.open("s3://bucket/missing").error().code == ErrorCode::kNotFound);
}

TEST_CASE("names are listed by directory, and directories are only names") {
  S3Disk disk;
  REQUIRE(disk.fs.create_directories("s3://bucket/job"));
  CHECK_FALSE(disk.fs.exists("s3://bucket/job"));
  CHECK(disk.fs.list("s3://bucket/job")->empty());
  for (const char* name : {"job/chk-1/a", "job/chk-1/b", "job/job-1.json", "job/job-2.json", "jobs/x"}) {
    REQUIRE(put(disk.fs, std::string("s3://bucket/") + name, "xyz"));
  }
  const auto entries = *disk.fs.list("s3://bucket/job");
  REQUIRE(entries.size() == 3);
  CHECK((entries[0].name == "chk-1" && entries[0].is_directory));
  CHECK((entries[1].name == "job-1.json" && !entries[1].is_directory && entries[1].size == 3));
  CHECK(disk.fs.list_prefix("s3://bucket/job/", "job-2")->size() == 1);
  REQUIRE(disk.fs.rename("s3://bucket/job", "s3://bucket/job.old-1"));
  CHECK_FALSE(disk.fs.exists("s3://bucket/job"));
  CHECK(*disk.fs.read_all("s3://bucket/job.old-1/chk-1/b") == "xyz");
  REQUIRE(disk.fs.remove_all("s3://bucket/job.old-1"));
  CHECK(disk.s3.server.objects.size() == 1);
  CHECK_FALSE(disk.fs.remove_all("s3://bucket/"));
}

TEST_CASE("publish is one request, replaces nothing where that is asked for, and proves first that the server obeys") {
  S3Disk disk;
  const auto publish = [&](const std::string& bytes, IfTaken if_taken) -> Status {
    MR_ASSIGN(const auto file, disk.fs.create("s3://bucket/d/.tmp"));
    MR_TRY(file->append(bytes));
    return disk.fs.publish(*file, "s3://bucket/d/.tmp", "s3://bucket/d/f", if_taken, EntryDurability::kNow);
  };
  REQUIRE(publish("one", IfTaken::kRefuse));
  CHECK(disk.s3.server.objects == MemoryS3::Objects{{"bucket/d/f", "one"}});
  CHECK(publish("two", IfTaken::kRefuse).error().code == ErrorCode::kRefusedByState);
  const size_t before = disk.s3.server.seen.size();
  REQUIRE(publish("three", IfTaken::kReplace));
  CHECK(disk.s3.server.seen.size() == before + 1);
  CHECK(*disk.fs.read_all("s3://bucket/d/f") == "three");

  S3Disk careless;
  careless.s3.server.ignores_conditions = true;
  auto file = *careless.fs.create("s3://bucket/d/.tmp");
  const Status refused =
      careless.fs.publish(*file, "s3://bucket/d/.tmp", "s3://bucket/d/f", IfTaken::kRefuse, EntryDurability::kNow);
  CHECK(refused.error().code == ErrorCode::kExternalRefused);
  CHECK(careless.s3.server.objects.empty());
}

TEST_CASE("an S3 that does not answer is never taken for an empty one") {
  S3Disk disk;
  REQUIRE(put(disk.fs, "s3://bucket/d/f", "x"));
  disk.s3.server.fault_of = [](const S3HttpRequest&) { return MemoryS3::Fault::k503; };
  CHECK(disk.fs.contains("s3://bucket/d/f").error().code == ErrorCode::kExternalFailed);
  CHECK(disk.fs.list("s3://bucket/d").error().code == ErrorCode::kExternalFailed);
  CHECK(disk.fs.rename_no_replace("s3://bucket/d/f", "s3://bucket/d/g").error().code == ErrorCode::kExternalFailed);
}

TEST_CASE("objects do not grow") {
  S3Disk disk;
  CHECK(disk.fs.open_append("s3://bucket/f").error().code == ErrorCode::kNotSupportedYet);
  CHECK(disk.fs.truncate("s3://bucket/f", 1).error().code == ErrorCode::kNotSupportedYet);
}
