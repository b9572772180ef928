#include "state/spill_store.h"

#include <unistd.h>

#include <catch2/catch.hpp>

#include "core/file_system.h"
#include "state/spill_buffer.h"
#include "state/task_store.h"

namespace millrace {

namespace {

std::string spill_directory(const char* name) {
  return "/tmp/millrace-spill-test-" + std::to_string(::getpid()) + "-" + name;
}

struct SpillFixture {
  std::shared_ptr<SpillMemory> memory = make_spill_memory(0);

  std::unique_ptr<SpillStore> open(const char* name, const RestoredState* from = nullptr,
                                   const RestoredStore* files = nullptr) {
    auto store = open_spill_store({.directory = spill_directory(name),
                                   .instance = name,
                                   .memory = memory,
                                   .from = from,
                                   .files = files,
                                   .read_only = false});
    REQUIRE(store);
    return std::move(*store);
  }

  static void put(SpillStore& store, const std::vector<std::pair<std::string, std::string>>& rows,
                  const std::vector<std::string>& erased = {}) {
    SpillBuffer buffer;
    for (const auto& [key, value] : rows)
      buffer.add({std::string_view(key).substr(0, 2), std::string_view(key).substr(2)}, value);
    for (const std::string& key : erased) buffer.erase({key});
    const auto run = store.begin_run();
    REQUIRE(run);
    REQUIRE(buffer.write(**run));
    REQUIRE((*run)->finish());
  }

  static std::string content(const SpillStore& store) {
    std::string text;
    const auto at = store.scan("a", "z");
    for (; at->valid(); at->next()) text += std::string(at->key()) + "=" + std::string(at->value()) + " ";
    REQUIRE(at->status());
    return text;
  }
};

/// Gives the files of a checkpoint to a new store.
class CopiedFiles final : public RestoredState {
 public:
  explicit CopiedFiles(SpillCheckpoint& checkpoint) {
    for (const SpillCheckpoint::File& file : checkpoint.files()) {
      const auto content = local_file_system().read_all(file.path);
      REQUIRE(content);
      store.files.push_back({file.name, "", *content, content->size(), 0});
    }
  }
  Status visit(const StateDescriptor& /*expected*/, KeyGroupRange /*groups*/, uint32_t /*subtask*/,
               uint32_t /*parallelism*/, const RowVisitor& /*visitor*/) const override {
    return {};
  }
  Status fetch(const RestoredFile& file, const std::string& to) const override {
    return write_file_durably(local_file_system(), to, file.content);
  }
  RestoredStore store;
};

std::vector<std::string> shared_names(const SpillCheckpoint& checkpoint) {
  std::vector<std::string> names;
  for (const SpillCheckpoint::File& file : checkpoint.files()) {
    if (file.kind == SnapshotFileKind::kShared) names.push_back(file.name);
  }
  std::ranges::sort(names);
  return names;
}

}  // namespace

TEST_CASE("Later runs hide what earlier ones say of a key, and an erased key is gone") {
  SpillFixture fixture;
  const auto store = fixture.open("runs");
  SpillFixture::put(*store, {{"aaaa2", "old"}, {"aaaa1", "one"}, {"aaab1", "x"}});
  SpillFixture::put(*store, {{"aaaa2", "new"}, {"aaaa3", ""}}, {"aaab1"});
  REQUIRE(SpillFixture::content(*store) == "aaaa1=one aaaa2=new aaaa3= ");
  std::vector<std::string> values;
  std::vector<uint8_t> found;
  const std::vector<std::string_view> keys{"aaab1", "aaaa2", "aaaa9", "aaaa3"};
  REQUIRE(store->load(keys, values, found));
  REQUIRE(found == std::vector<uint8_t>{0, 1, 0, 1});
  REQUIRE(values[1] == "new");
}

TEST_CASE("A run that was not finished leaves nothing behind") {
  SpillFixture fixture;
  const auto store = fixture.open("unfinished");
  {
    const auto run = store->begin_run();
    REQUIRE((*run)->add("aaaa1", "one"));
  }
  REQUIRE(SpillFixture::content(*store).empty());
}

TEST_CASE("A dropped range is gone and its neighbours stay") {
  SpillFixture fixture;
  const auto store = fixture.open("drop");
  SpillFixture::put(*store, {{"aaaa1", "1"}, {"aaab1", "2"}, {"aaab2", "3"}, {"aaac1", "4"}});
  REQUIRE(store->drop("aaab", "aaac"));
  REQUIRE(SpillFixture::content(*store) == "aaaa1=1 aaac1=4 ");
  SpillFixture::put(*store, {{"aaab2", "again"}});
  REQUIRE(SpillFixture::content(*store) == "aaaa1=1 aaab2=again aaac1=4 ");
}

TEST_CASE("A store goes on from a checkpoint, whose files keep their names") {
  SpillFixture fixture;
  auto first = fixture.open("first");
  SpillFixture::put(*first, {{"aaaa1", "1"}, {"aaaa2", "2"}});
  auto checkpoint = first->checkpoint();
  REQUIRE(checkpoint);
  SpillFixture::put(*first, {{"aaaa1", "later"}});
  const CopiedFiles files(**checkpoint);
  const std::vector<std::string> names = shared_names(**checkpoint);
  REQUIRE(names.size() == 1);
  REQUIRE(names[0].starts_with("first-"));
  checkpoint->reset();
  first.reset();

  const auto second = fixture.open("second", &files, &files.store);
  REQUIRE(SpillFixture::content(*second) == "aaaa1=1 aaaa2=2 ");
  SpillFixture::put(*second, {{"aaaa3", "3"}});
  const auto next = second->checkpoint();
  REQUIRE(next);
  const std::vector<std::string> both = shared_names(**next);
  REQUIRE(both.size() == 2);
  REQUIRE(both[0] == names[0]);
  REQUIRE(both[1].starts_with("second-"));
}

TEST_CASE("The key behind a prefix") {
  REQUIRE(behind_prefix("ab") == "ac");
  REQUIRE(behind_prefix("a\xff") == "b");
}

}  // namespace millrace
