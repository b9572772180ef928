#include "core/simulated_file_system.h"

#include <catch2/catch.hpp>

using namespace millrace;

TEST_CASE("a crash forgets what was not synced") {
  SimulatedFileSystem fs;
  REQUIRE(fs.create_directories("/job"));
  REQUIRE(fs.sync_directory("/"));
  auto file = *fs.create("/job/log");
  REQUIRE(fs.sync_directory("/job"));
  REQUIRE(file->append("kept"));
  REQUIRE(file->sync());
  REQUIRE(file->append("lost"));
  CHECK(*fs.read_all("/job/log") == "keptlost");
  fs.crash();
  CHECK(*fs.read_all("/job/log") == "kept");
  CHECK_FALSE(file->append("by a dead process"));
}

TEST_CASE("a synced file is lost when its directory was not synced") {
  SimulatedFileSystem fs;
  REQUIRE(fs.create_directories("/job"));
  REQUIRE(fs.sync_directory("/"));
  auto file = *fs.create("/job/f");
  REQUIRE(file->append("x"));
  REQUIRE(file->sync());
  fs.crash();
  CHECK_FALSE(fs.exists("/job/f"));
  CHECK(fs.exists("/job"));
}

TEST_CASE("a rename and a removal come undone when the directory was not synced") {
  SimulatedFileSystem fs;
  REQUIRE(write_file_durably(fs, "/a", "1"));
  REQUIRE(write_file_durably(fs, "/b", "2"));
  REQUIRE(fs.rename("/a", "/b"));
  CHECK(*fs.read_all("/b") == "1");
  REQUIRE(fs.remove("/b"));
  fs.crash();
  CHECK(*fs.read_all("/a") == "1");
  CHECK(*fs.read_all("/b") == "2");
}

TEST_CASE("a file written durably survives, and replaces the old one as a whole") {
  SimulatedFileSystem fs;
  REQUIRE(write_file_durably(fs, "/f", "old"));
  fs.crash();
  CHECK(*fs.read_all("/f") == "old");
  fs.fail_syncs(1);
  CHECK(write_file_durably(fs, "/f", "new").error().code == ErrorCode::kIo);
  CHECK(*fs.read_all("/f") == "old");
  CHECK_FALSE(fs.exists("/f.tmp"));
  const uint64_t before = fs.sync_calls();
  REQUIRE(write_file_durably(fs, "/f", "new"));
  CHECK(fs.sync_calls() == before + 2);
  fs.crash();
  CHECK(*fs.read_all("/f") == "new");
}

TEST_CASE("on a full disk the part that fits is written and the old file stays") {
  SimulatedFileSystem fs;
  REQUIRE(write_file_durably(fs, "/f", "old"));
  fs.set_space_left(2);
  CHECK(write_file_durably(fs, "/f", "newer").error().code == ErrorCode::kDiskFull);
  CHECK(*fs.read_all("/f") == "old");
  auto file = *fs.create("/g");
  fs.set_space_left(3);
  CHECK(file->append("12345").error().code == ErrorCode::kDiskFull);
  CHECK(*fs.read_all("/g") == "123");
  fs.set_space_left(std::nullopt);
  CHECK(file->append("45"));
}

TEST_CASE("a random crash keeps a prefix of the unsynced bytes") {
  bool torn = false;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    SimulatedFileSystem fs;
    REQUIRE(write_file_durably(fs, "/f", "abc"));
    auto file = *fs.open_append("/f");
    REQUIRE(file->append("defgh"));
    SeededRandom random(seed);
    fs.crash(random);
    const std::string left = *fs.read_all("/f");
    CHECK(left.size() >= 3);
    CHECK(std::string("abcdefgh").starts_with(left));
    torn = torn || (left.size() > 3 && left.size() < 8);
  }
  CHECK(torn);
}

TEST_CASE("rot is durable") {
  SimulatedFileSystem fs;
  REQUIRE(write_file_durably(fs, "/f", "abc"));
  REQUIRE(fs.flip_bit("/f", 1, 0));
  CHECK(*fs.read_all("/f") == "acc");
  fs.crash();
  CHECK(*fs.read_all("/f") == "acc");
  CHECK_FALSE(fs.flip_bit("/f", 3, 0));
}

TEST_CASE("the simulated disk answers like the real one") {
  SimulatedFileSystem fs;
  CHECK(fs.open("/f").error().code == ErrorCode::kNotFound);
  CHECK(fs.create("/d/f").error().code == ErrorCode::kNotFound);
  REQUIRE(fs.create_directories("/d/e"));
  REQUIRE(fs.create_directories("/d/e"));
  REQUIRE(write_file_durably(fs, "/d/f", "123"));
  const auto entries = *fs.list("/d");
  REQUIRE(entries.size() == 2);
  CHECK(entries[0].is_directory);
  CHECK(entries[1].size == 3);
  CHECK_FALSE(fs.remove("/d"));
  CHECK_FALSE(fs.open("/d"));
  CHECK(fs.rename_no_replace("/d/f", "/d/e").error().code == ErrorCode::kRefusedByState);
  REQUIRE(fs.rename("/d/f", "/d/e/g"));
  auto file = *fs.open("/d/e/g");
  char bytes[8];
  CHECK(*file->read_at(1, bytes, 8) == 2);
  CHECK(*file->read_at(9, bytes, 8) == 0);
  REQUIRE(fs.truncate("/d/e/g", 1));
  CHECK(*file->size() == 1);
  REQUIRE(fs.remove_all("/d"));
  CHECK(fs.remove_all("/d"));
  CHECK(fs.list("/")->empty());
}
