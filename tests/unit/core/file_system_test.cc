#include "core/file_system.h"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <filesystem>

using namespace millrace;

namespace {

/// A directory of its own for each test case.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "millrace_XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }
  [[nodiscard]] std::string at(std::string_view name) const { return join_path(path_, name); }

 private:
  std::string path_;
};

}  // namespace

TEST_CASE("what cannot be looked at is not taken for missing") {
  TemporaryDirectory directory;
  FileSystem& fs = local_file_system();
  CHECK_FALSE(*fs.contains(directory.at("f")));
  REQUIRE(write_file_durably(fs, directory.at("f"), "x"));
  CHECK(*fs.contains(directory.at("f")));
  CHECK_FALSE(*fs.contains(directory.at("f/g")));
  CHECK(fs.contains(directory.at(std::string(300, 'n'))).error().code == ErrorCode::kIo);
}

TEST_CASE("a file is published whole, and replaces another only where that is asked for") {
  TemporaryDirectory directory;
  FileSystem& fs = local_file_system();
  const auto publish = [&](const std::string& bytes, IfTaken if_taken) -> Status {
    MR_ASSIGN(const auto file, fs.create(directory.at("tmp")));
    MR_TRY(file->append(bytes));
    return fs.publish(*file, directory.at("tmp"), directory.at("f"), if_taken, EntryDurability::kNow);
  };
  const uint64_t before = fsync_count();
  REQUIRE(publish("one", IfTaken::kRefuse));
  CHECK(fsync_count() == before + 2);
  CHECK(publish("two", IfTaken::kRefuse).error().code == ErrorCode::kRefusedByState);
  CHECK(*fs.read_all(directory.at("f")) == "one");
  REQUIRE(publish("three", IfTaken::kReplace));
  CHECK(*fs.read_all(directory.at("f")) == "three");
  CHECK(fs.list_prefix(directory.at(""), "f")->size() == 1);
}

TEST_CASE("bytes appended to a file come back") {
  TemporaryDirectory directory;
  FileSystem& fs = local_file_system();
  const std::string path = directory.at("f");
  const std::string large(200'000, 'x');
  {
    auto file = *fs.create(path);
    REQUIRE(file->append("head"));
    REQUIRE(file->append(large));
    REQUIRE(file->append("tail"));
    REQUIRE(file->close());
    CHECK_FALSE(file->append("late"));
  }
  CHECK(*fs.read_all(path) == "head" + large + "tail");
  {
    auto file = *fs.open_append(path);
    REQUIRE(file->append("!"));
    const uint64_t before = fsync_count();
    REQUIRE(file->sync());
    CHECK(fsync_count() == before + 1);
    CHECK(fs.read_all(path)->back() == '!');
    REQUIRE(file->close());
  }
  auto readable = *fs.open(path);
  CHECK(*readable->size() == 200'009);
  char bytes[16];
  CHECK(*readable->read_at(200'004, bytes, sizeof bytes) == 5);
  CHECK(std::string_view(bytes, 5) == "tail!");
  CHECK(*readable->read_at(300'000, bytes, sizeof bytes) == 0);
  REQUIRE(fs.truncate(path, 4));
  CHECK(*fs.read_all(path) == "head");
}

TEST_CASE("renaming without replacing is refused when the target exists") {
  TemporaryDirectory directory;
  FileSystem& fs = local_file_system();
  REQUIRE(write_file_durably(fs, directory.at("a"), "a"));
  REQUIRE(write_file_durably(fs, directory.at("b"), "b"));
  CHECK(fs.rename_no_replace(directory.at("a"), directory.at("b")).error().code == ErrorCode::kRefusedByState);
  CHECK(*fs.read_all(directory.at("b")) == "b");
  REQUIRE(fs.rename_no_replace(directory.at("a"), directory.at("c")));
  REQUIRE(fs.rename(directory.at("c"), directory.at("b")));
  CHECK(*fs.read_all(directory.at("b")) == "a");
}

TEST_CASE("a directory lists its entries by name") {
  TemporaryDirectory directory;
  FileSystem& fs = local_file_system();
  REQUIRE(fs.create_directories(directory.at("d/sub")));
  REQUIRE(fs.create_directories(directory.at("d/sub")));
  REQUIRE(write_file_durably(fs, directory.at("d/f"), "123"));
  const auto entries = *fs.list(directory.at("d"));
  REQUIRE(entries.size() == 2);
  CHECK(entries[0].name == "f");
  CHECK(entries[0].size == 3);
  CHECK_FALSE(entries[0].is_directory);
  CHECK(entries[1].is_directory);
  CHECK_FALSE(fs.remove(directory.at("d")));
  REQUIRE(fs.remove_all(directory.at("d")));
  CHECK_FALSE(fs.exists(directory.at("d")));
  CHECK(fs.remove_all(directory.at("d")));
}

TEST_CASE("what is missing is kNotFound and names the path") {
  TemporaryDirectory directory;
  FileSystem& fs = local_file_system();
  const std::string path = directory.at("missing");
  CHECK(fs.open(path).error().code == ErrorCode::kNotFound);
  CHECK(fs.open(path).error().message.find(path) != std::string::npos);
  CHECK(fs.read_all(path).error().code == ErrorCode::kNotFound);
  CHECK(fs.list(path).error().code == ErrorCode::kNotFound);
  CHECK(fs.remove(path).error().code == ErrorCode::kNotFound);
  CHECK_FALSE(write_file_durably(fs, join_path(path, "x"), ""));
}

TEST_CASE("paths are joined and split") {
  CHECK(join_path("/a", "b") == "/a/b");
  CHECK(join_path("/a/", "b") == "/a/b");
  CHECK(join_path("", "b") == "b");
  CHECK(parent_path("/a/b/") == "/a");
  CHECK(parent_path("/a") == "/");
  CHECK(parent_path("a") == ".");
}
