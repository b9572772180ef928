#include "runtime/operators/window/pane_tree.h"

#include <catch2/catch.hpp>
#include <set>
#include <string>

#include "core/hash.h"

namespace millrace {

namespace {

/// Panes of one millisecond with keys of the caller's choice, and no accumulators: what counts is which keys are where.
struct Panes {
  Panes(WindowKind kind, int64_t size, int64_t slide) : geometry(kind, size, slide, 0) {}

  void add(int64_t pane, const std::string& key) {
    store.open_slice(pane).table.insert(hash64(key), key, nullptr);
    std::vector<Slice*> sums;
    tree.sums_of(pane, sums);
    for (Slice* sum : sums) sum->table.insert(hash64(key), key, nullptr);
  }
  std::set<std::string> keys_of(const std::vector<SlicePtr>& parts) const {
    std::set<std::string> keys;
    for (const SlicePtr& part : parts) {
      std::vector<const char*> rows(64);
      uint64_t cursor = 0;
      while (const size_t count = part->table.peek_rows(cursor, rows)) {
        for (size_t i = 0; i < count; ++i) keys.emplace(KeyedTable::key_of(rows[i]));
      }
    }
    return keys;
  }
  std::vector<SlicePtr> parts(int64_t start, int64_t end) {
    std::vector<SlicePtr> parts;
    tree.parts_of(start, end, parts);
    return parts;
  }

  WindowGeometry geometry;
  std::shared_ptr<AggregateRow> aggregates = *AggregateRow::make({});
  SliceStore store{aggregates};
  PaneTree tree{geometry, store};
};

}  // namespace

TEST_CASE("a window of many panes is the sum of a few tables") {
  Panes panes(WindowKind::kSliding, 600, 1);
  REQUIRE(panes.tree.used());
  for (int64_t pane = 0; pane < 1000; ++pane) {
    for (const char* key : {"a", "b", "c"}) panes.add(pane, key);
  }
  for (int64_t end = 600; end < 1000; ++end) {
    const auto parts = panes.parts(end - 600, end);
    CHECK(parts.size() <= 7);
    CHECK(panes.keys_of(parts) == std::set<std::string>{"a", "b", "c"});
    panes.tree.expire(end - 1);
  }
}

TEST_CASE("what is added to a pane later is in the sums that hold it") {
  Panes panes(WindowKind::kSliding, 64, 1);
  for (int64_t pane = 0; pane < 80; ++pane) panes.add(pane, "a");
  CHECK(panes.keys_of(panes.parts(3, 67)) == std::set<std::string>{"a"});
  panes.add(20, "late");
  for (int64_t end = 67; end < 80; ++end) {
    CHECK(panes.keys_of(panes.parts(end - 64, end)) == std::set<std::string>{"a", "late"});
  }
  CHECK(panes.keys_of(panes.parts(21, 80)) == std::set<std::string>{"a"});
}

TEST_CASE("keys that do not come again are not kept twice") {
  Panes panes(WindowKind::kSliding, 64, 1);
  for (int64_t pane = 0; pane < 64; ++pane) panes.add(pane, std::to_string(pane));
  CHECK(panes.parts(0, 64).size() == 64);
  CHECK(panes.tree.bytes() == 0);
}

TEST_CASE("few panes need no sums") {
  CHECK_FALSE(Panes(WindowKind::kTumbling, 100, 100).tree.used());
  CHECK_FALSE(Panes(WindowKind::kSliding, 10, 2).tree.used());
  CHECK_FALSE(Panes(WindowKind::kSliding, 100, 99).tree.used());
  CHECK(Panes(WindowKind::kCumulating, 3600, 60).tree.used());
}

}  // namespace millrace
