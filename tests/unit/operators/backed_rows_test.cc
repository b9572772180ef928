#include "runtime/operators/backed_rows.h"

#include <unistd.h>

#include <catch2/catch.hpp>

namespace millrace {

namespace {

/// Numbers by key, in a table that holds nothing longer than a call.
struct BackedFixture {
  BackedFixture() {
    TaskStore::Config config;
    config.directory = "/tmp/millrace-backed-test-" + std::to_string(::getpid());
    config.instance = "test";
    config.budget = std::make_shared<StateBudget>();
    config.budget->limit_bytes = 0;
    config.memory = make_spill_memory(0);
    config.key_groups = context.key_groups;
    auto made = TaskStore::make(std::move(config));
    REQUIRE(made);
    store = std::move(*made);
    context.store = store.get();
    const auto save = [](const char* row, ByteWriter& out) { out.put(*reinterpret_cast<const int64_t*>(row)); };
    const auto load = [](char* row, ByteReader& in) -> Status {
      *reinterpret_cast<int64_t*>(row) = in.get<int64_t>();
      return {};
    };
    REQUIRE(rows.back({"step", "numbers", StateKind::kKeyed, "n"}, context,
                      {.save = save, .load = load, .drop = [](char*) {}}));
    REQUIRE(store->registered());
  }

  void put(std::string_view key, int64_t value) {
    const auto row = rows.insert(hash64(key), key, nullptr);
    REQUIRE(row);
    *reinterpret_cast<int64_t*>(*row) = value;
  }
  /// -1: absent.
  int64_t get(std::string_view key) {
    const auto row = rows.find(hash64(key), key);
    REQUIRE(row);
    return *row == nullptr ? -1 : *reinterpret_cast<const int64_t*>(*row);
  }
  void erase(std::string_view key) {
    const auto row = rows.find(hash64(key), key);
    REQUIRE((row && *row != nullptr));
    rows.erase(*row);
  }
  void spill() { REQUIRE(store->balance()); }

  OperatorContext context;
  std::unique_ptr<TaskStore> store;
  KeyedRows rows{8, 0};
};

}  // namespace

TEST_CASE("Rows that left memory come back as they were last written") {
  BackedFixture rows;
  rows.put("a", 1);
  rows.put("b", 2);
  rows.spill();
  REQUIRE(rows.rows.rows() == 0);
  REQUIRE(rows.get("a") == 1);
  rows.put("a", 3);
  rows.spill();
  REQUIRE(rows.get("a") == 3);
  REQUIRE(rows.get("b") == 2);
  REQUIRE(rows.get("c") == -1);
}

TEST_CASE("An erased key stays erased, also when it is looked for before the store knows") {
  BackedFixture rows;
  rows.put("a", 1);
  rows.spill();
  rows.erase("a");
  REQUIRE(rows.get("a") == -1);
  REQUIRE(rows.get("a") == -1);
  rows.put("b", 2);
  rows.spill();
  REQUIRE(rows.get("a") == -1);
  rows.put("a", 5);
  rows.spill();
  REQUIRE(rows.get("a") == 5);
}

}  // namespace millrace
