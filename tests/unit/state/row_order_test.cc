#include "state/row_order.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "core/hash.h"
#include "core/random.h"
#include "data/key_format.h"

namespace millrace {

namespace {

constexpr uint32_t kGroups = 128;

/// Keys as the store has them.
std::vector<std::string> ordered(const KeyedTable& table, uint32_t lead, RowOrder::Keep keep = {}) {
  std::vector<std::string> keys;
  for (RowOrder rows(table, lead, kGroups, std::move(keep)); rows.valid(); rows.next()) {
    rows.store_key("st", keys.emplace_back());
  }
  return keys;
}

std::string stored(std::string_view key, uint32_t lead) {
  const uint32_t group = key_group_of(hash64(key.substr(lead)), kGroups);
  std::string result = "st";
  result.append(key.substr(0, lead));
  result.push_back(static_cast<char>(group >> 8));
  result.push_back(static_cast<char>(group));
  return result.append(key.substr(lead));
}

void require_order(const std::vector<std::string>& keys, uint32_t lead) {
  BlobPool blobs;
  KeyedTable table(8, blobs);
  std::vector<std::string> expected;
  for (const std::string& key : keys) {
    bool inserted = false;
    table.insert(hash64(key), key, &inserted);
    if (inserted) expected.push_back(stored(key, lead));
  }
  std::ranges::sort(expected);
  REQUIRE(ordered(table, lead) == expected);
}

}  // namespace

TEST_CASE("Rows come in the order of their keys in the store, whatever the keys share") {
  SeededRandom random(3);
  std::vector<std::string> keys{"", "a", std::string("a\0", 2), std::string("a\0\0", 3), std::string(40, 'a')};
  for (int i = 0; i < 3000; ++i) {
    std::string key = random.below(2) == 0 ? "user_" : "user_with_a_long_name_";
    for (uint64_t more = random.below(9); more > 0; --more) key.push_back(static_cast<char>(random.below(256)));
    keys.push_back(std::move(key));
  }
  require_order(keys, 0);
}

TEST_CASE("Rows whose keys begin with a prefix come by prefix, key group and key") {
  SeededRandom random(4);
  std::vector<std::string> keys;
  for (int i = 0; i < 3000; ++i) {
    std::string key(8, '\0');
    key[0] = static_cast<char>(random.below(3));
    key[7] = static_cast<char>(random.below(2));
    keys.push_back(key + "k" + std::to_string(random.below(500)));
  }
  require_order(keys, 8);
}

TEST_CASE("A table that is sorted in parts comes in one order, without the rows that are not kept") {
  BlobPool blobs;
  KeyedTable table(8, blobs);
  std::vector<std::string> expected;
  for (int64_t i = 0; i < 150'000; ++i) {
    const std::string key(reinterpret_cast<const char*>(&i), sizeof i);
    *reinterpret_cast<int64_t*>(table.insert(hash64(key), key, nullptr)) = i;
    if (i % 3 == 0) expected.push_back(stored(key, 0));
  }
  std::ranges::sort(expected);
  const auto keep = [](const char* row) { return *reinterpret_cast<const int64_t*>(row) % 3 == 0; };
  REQUIRE(ordered(table, 0, keep) == expected);
  REQUIRE(ordered(table, 0, [](const char*) { return false; }).empty());
}

}  // namespace millrace
