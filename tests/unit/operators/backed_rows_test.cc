#include "runtime/operators/backed_rows.h"

#include <catch2/catch.hpp>
#include <map>

#include "core/random.h"
#include "tests/unit/operators/spill_support.h"

namespace millrace {

namespace {

class NoFiles final : public SnapshotWriter {
 public:
  Status begin(const StateDescriptor& /*state*/) override { return {}; }
  Status add(uint32_t /*group*/, std::string_view /*key*/, std::string_view /*value*/) override { return {}; }
  Status add_file(SnapshotFileKind /*kind*/, const std::string& /*name*/, const std::string& /*path*/) override {
    return {};
  }
};

/// Numbers by key, in a table that holds nothing longer than a call.
struct BackedFixture : SpillFixture {
  explicit BackedFixture(int64_t limit_bytes = 0) : SpillFixture("backed-test", limit_bytes) {
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
  /// Parts of one snapshot; the last one ends it.
  std::vector<SnapshotPartPtr> snapshot() {
    std::vector<SnapshotPartPtr> parts;
    parts.push_back(rows.snapshot({"step", "numbers", StateKind::kKeyed, "n"}, context.max_parallelism, {}));
    auto files = store->snapshot();
    REQUIRE(files);
    parts.push_back(std::move(*files));
    return parts;
  }

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

TEST_CASE("Rows that come and go under a small budget, with snapshots between, are those of a plain map") {
  constexpr int64_t kBudget = 200'000;  // of about 1 MB
  constexpr uint64_t kKeys = 20'000;
  BackedFixture rows(kBudget);
  std::map<std::string, int64_t> expected;
  SeededRandom random(11);
  std::vector<SnapshotPartPtr> parts;
  NoFiles files;
  for (int64_t step = 0; step < 120'000; ++step) {
    const std::string key = "key-" + std::to_string(random.below(kKeys));
    const auto known = expected.find(key);
    if (random.below(10) == 0 && known != expected.end()) {
      rows.erase(key);
      expected.erase(known);
    } else {
      REQUIRE(rows.get(key) == (known == expected.end() ? -1 : known->second));
      rows.put(key, step);
      expected[key] = step;
    }
    if (step % 256 == 0) rows.spill();
    if (step > 20'000 && step % 10'000 == 0) parts = rows.snapshot();
    if (step % 10'000 == 3'000 && !parts.empty()) {
      for (const SnapshotPartPtr& part : parts) REQUIRE(part->write(files));
      parts.clear();
    }
  }
  REQUIRE(rows.rows.rows() < kKeys / 2);
  for (uint64_t i = 0; i < kKeys; ++i) {
    const std::string key = "key-" + std::to_string(i);
    const auto known = expected.find(key);
    REQUIRE(rows.get(key) == (known == expected.end() ? -1 : known->second));
    if (i % 256 == 0) rows.spill();
  }
}

}  // namespace millrace
