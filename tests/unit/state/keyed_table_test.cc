#include "state/keyed_table.h"

#include <array>
#include <atomic>
#include <catch2/catch.hpp>
#include <cstring>
#include <map>
#include <string>
#include <thread>

#include "core/hash.h"
#include "core/random.h"

namespace millrace {

namespace {

using TableModel = std::map<std::string, uint64_t>;

struct TableFixture {
  BlobPool blobs;
  KeyedTable table{sizeof(uint64_t) + sizeof(BlobRef), blobs};
  TableModel model;
  SeededRandom random{7};

  static uint64_t number(const char* value) {
    uint64_t out = 0;
    std::memcpy(&out, value, sizeof out);
    return out;
  }

  // The value is a number and a blob that spells it.
  void set(char* value, uint64_t number) {
    BlobRef text;
    std::memcpy(&text, value + sizeof number, sizeof text);
    blobs.release(text);
    text = blobs.add(std::to_string(number));
    std::memcpy(value, &number, sizeof number);
    std::memcpy(value + sizeof number, &text, sizeof text);
  }

  // Lengths around the border of inline keys.
  std::string key(uint64_t among) {
    const uint64_t n = random.below(among);
    std::string text = "k" + std::to_string(n);
    text.resize(text.size() + n % 19, 'x');
    return n == 0 ? "" : text;
  }

  void erase(const std::string& key) {
    if (char* value = table.find(hash64(key), key); value != nullptr) {
      BlobRef text;
      std::memcpy(&text, value + sizeof(uint64_t), sizeof text);
      blobs.release(text);
    }
    REQUIRE(table.erase(hash64(key), key) == (model.erase(key) == 1));
  }

  void upsert_batch(size_t count, uint64_t among) {
    std::vector<std::string> texts;
    for (size_t i = 0; i < count; ++i) texts.push_back(key(among));
    EncodedKeys keys;
    for (const std::string& text : texts) {
      keys.keys.push_back(text);
      keys.hashes.push_back(hash64(text));
    }
    std::vector<char*> values(count);
    std::vector<uint8_t> inserted(count);
    table.find_or_insert(keys, {}, values.data(), inserted.data());
    for (size_t i = 0; i < count; ++i) {
      const bool absent = !model.contains(texts[i]);
      REQUIRE((inserted[i] == 1) == absent);
      REQUIRE(number(values[i]) == (absent ? 0 : model[texts[i]]));
      REQUIRE(KeyedTable::key_of(values[i]) == texts[i]);
      REQUIRE(KeyedTable::hash_of(values[i]) == keys.hashes[i]);
      model[texts[i]] += 1 + i;
      set(values[i], model[texts[i]]);
    }
  }

  TableModel walk() {
    TableModel out;
    std::vector<char*> rows(17);
    uint64_t cursor = 0;
    while (const size_t n = table.next_rows(cursor, rows)) {
      for (size_t i = 0; i < n; ++i) out.emplace(KeyedTable::key_of(rows[i]), number(rows[i]));
    }
    return out;
  }
};

TableModel table_view_content(TableView& view) {
  TableModel out;
  view.visit([&](uint64_t hash, std::string_view key, const char* value) {
    BlobRef text;
    std::memcpy(&text, value + sizeof(uint64_t), sizeof text);
    const uint64_t n = TableFixture::number(value);
    if (hash64(key) != hash || text.view() != std::to_string(n)) {
      out["damaged"] = 1;
    }
    out.emplace(key, n);
  });
  return out;
}

}  // namespace

TEST_CASE("a table answers like a map under random batches, erasures and walks") {
  TableFixture f;
  for (int round = 0; round < 120; ++round) {
    f.upsert_batch(f.random.below(200), 3000);
    for (uint64_t i = f.random.below(150); i > 0; --i) f.erase(f.key(3000));
    REQUIRE(f.table.size() == f.model.size());
    if (round % 10 == 0) REQUIRE(f.walk() == f.model);
  }
  for (const auto& [key, number] : f.model) {
    REQUIRE(TableFixture::number(f.table.find(hash64(key), key)) == number);
  }
  f.table.clear();
  REQUIRE(f.table.size() == 0);
  REQUIRE(f.table.find(hash64("k1x"), "k1x") == nullptr);
  f.model.clear();
  f.upsert_batch(100, 50);
  REQUIRE(f.walk() == f.model);
}

TEST_CASE("a view shows the table of its freeze whatever happens afterwards") {
  TableFixture f;
  std::vector<std::pair<std::unique_ptr<TableView>, TableModel>> views;
  for (int round = 0; round < 200; ++round) {
    f.upsert_batch(f.random.below(120), 2000);
    for (uint64_t i = f.random.below(60); i > 0; --i) f.erase(f.key(2000));
    if (f.random.below(4) == 0) views.emplace_back(f.table.freeze(), f.model);
    if (f.random.below(40) == 0) {
      f.table.clear();
      f.model.clear();
    }
    if (!views.empty() && f.random.below(4) == 0) {
      const size_t which = f.random.below(views.size());
      REQUIRE(table_view_content(*views[which].first) == views[which].second);
      views.erase(views.begin() + static_cast<std::ptrdiff_t>(which));
    }
  }
  REQUIRE(f.walk() == f.model);
}

TEST_CASE("a view is read on another thread while the owner writes") {
  TableFixture f;
  f.upsert_batch(4000, 6000);
  for (int round = 0; round < 25; ++round) {
    const TableModel expected = f.model;
    auto view = f.table.freeze();
    std::atomic<bool> equal{false};
    std::thread reader([&] {
      equal = table_view_content(*view) == expected;
      view.reset();
    });
    for (int i = 0; i < 10; ++i) {
      f.upsert_batch(100, 6000);
      for (int e = 0; e < 40; ++e) f.erase(f.key(6000));
    }
    if (round % 8 == 7) {
      f.table.clear();
      f.model.clear();
      f.upsert_batch(2000, 6000);
    }
    reader.join();
    REQUIRE(equal);
  }
  REQUIRE(f.walk() == f.model);
}

TEST_CASE("a view outlives its table and its pool") {
  auto f = std::make_unique<TableFixture>();
  f->upsert_batch(3000, 5000);
  const TableModel expected = f->model;
  auto view = f->table.freeze();
  f.reset();
  REQUIRE(table_view_content(*view) == expected);
}

TEST_CASE("find_or_insert fills only the chosen indexes") {
  TableFixture f;
  const std::vector<std::string> texts = {"a", "b", "a", "c"};
  EncodedKeys keys;
  for (const std::string& text : texts) {
    keys.keys.push_back(text);
    keys.hashes.push_back(hash64(text));
  }
  std::vector<char*> values(4, nullptr);
  std::vector<uint8_t> inserted(4, 9);
  const std::vector<uint32_t> which = {2, 3};
  f.table.find_or_insert(keys, which, values.data(), inserted.data());
  REQUIRE(values[0] == nullptr);
  REQUIRE(inserted[1] == 9);
  REQUIRE(inserted[2] == 1);
  REQUIRE(KeyedTable::key_of(values[3]) == "c");
  REQUIRE(f.table.size() == 2);
}

TEST_CASE("keys with equal hashes stay apart") {
  BlobPool blobs;
  KeyedTable table(16, blobs);
  for (int i = 0; i < 300; ++i) *table.insert(42, std::to_string(i), nullptr) = static_cast<char>(i);
  for (int i = 0; i < 300; i += 2) REQUIRE(table.erase(42, std::to_string(i)));
  for (int i = 0; i < 300; ++i) {
    const char* value = table.find(42, std::to_string(i));
    REQUIRE((value != nullptr) == (i % 2 == 1));
    if (value != nullptr) REQUIRE(*value == static_cast<char>(i));
  }
}

TEST_CASE("rows may be wider than a page") {
  BlobPool blobs;
  KeyedTable table(100'000, blobs);
  for (int i = 0; i < 5; ++i) table.insert(hash64(std::to_string(i)), std::to_string(i), nullptr)[99'999] = 'z';
  auto view = table.freeze();
  table.find(hash64("3"), "3")[99'999] = 'y';
  int old = 0;
  view->visit([&](uint64_t, std::string_view, const char* value) { old += value[99'999] == 'z' ? 1 : 0; });
  REQUIRE(old == 5);
}

TEST_CASE("blobs of every size keep their bytes, and a pool accounts for them") {
  BlobPool blobs;
  SeededRandom random(3);
  std::vector<std::pair<BlobRef, std::string>> held;
  for (size_t round = 0; round < 4000; ++round) {
    std::string text(random.below(round % 50 == 0 ? 10'000 : 300), static_cast<char>('a' + round % 26));
    if (round < 2100) text.resize(round, 'q');
    held.emplace_back(blobs.add(text), text);
    if (held.size() > 300) {
      const size_t which = random.below(held.size());
      REQUIRE(held[which].first.view() == held[which].second);
      blobs.release(held[which].first);
      held.erase(held.begin() + static_cast<std::ptrdiff_t>(which));
    }
  }
  size_t bytes = 0;
  for (const auto& [blob, text] : held) {
    REQUIRE(blob.view() == text);
    bytes += text.size() + 4;
  }
  REQUIRE(blobs.bytes() == bytes);
}

TEST_CASE("a released blob stays readable until the views of that moment are closed") {
  BlobPool blobs;
  const BlobRef blob = blobs.add("first");
  const uint64_t view = blobs.open_view();
  blobs.release(blob);
  for (int i = 0; i < 10; ++i) blobs.add("other");
  REQUIRE(blob.view() == "first");
  const size_t before = blobs.bytes();
  blobs.close_view(view);
  blobs.release(blobs.add("tick"));
  REQUIRE(blobs.bytes() == before - 9);
}

TEST_CASE("Writes carry the epoch of their time") {
  BlobPool blobs;
  KeyedTable table(16, blobs);
  const auto key = [](const char* text) { return std::pair(hash64(std::string_view(text)), std::string_view(text)); };
  for (const char* text : {"a", "b"}) table.insert(key(text).first, text, nullptr);
  const auto changed = [&](const char* text, uint16_t written) {
    uint64_t cursor = 0;
    std::array<const char*, 8> rows;
    const size_t count = table.peek_rows(cursor, rows);
    for (size_t i = 0; i < count; ++i) {
      if (KeyedTable::key_of(rows[i]) == text) return KeyedTable::changed_since(rows[i], written);
    }
    return false;
  };
  const uint16_t first = table.next_epoch();
  REQUIRE(changed("a", static_cast<uint16_t>(first - 1)));
  REQUIRE_FALSE(changed("a", first));
  char* a = table.find(key("a").first, "a");
  REQUIRE(changed("a", first));
  REQUIRE_FALSE(changed("b", first));
  REQUIRE(table.may_be_stored(a));
  bool inserted = false;
  char* c = table.insert(key("c").first, "c", &inserted);
  REQUIRE(inserted);
  REQUIRE_FALSE(table.may_be_stored(c));
  REQUIRE(KeyedTable::take_used(c));
  REQUIRE_FALSE(KeyedTable::take_used(c));
}

}  // namespace millrace
