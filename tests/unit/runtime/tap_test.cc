#include "runtime/tap.h"

#include <catch2/catch.hpp>

#include "tests/unit/runtime/test_rows.h"

namespace millrace {

TEST_CASE("A tap hands on the first rows that pass, then it has had enough") {
  std::vector<std::string> seen;
  Tap tap(0, numbers_schema(), 3, 1000,
          [&](std::vector<std::string> rows) { seen.insert(seen.end(), rows.begin(), rows.end()); });
  REQUIRE(tap.offer(numbers({1, 2}), 10));
  REQUIRE_FALSE(tap.offer(numbers({3, 4}), 20));
  REQUIRE_FALSE(tap.offer(numbers({5}), 30));
  REQUIRE(seen == std::vector<std::string>{"{\"n\":1}", "{\"n\":2}", "{\"n\":3}"});
}

TEST_CASE("A tap of a step that was silent for too long takes nothing any more") {
  bool called = false;
  Tap tap(0, numbers_schema(), 3, 1000, [&](const std::vector<std::string>&) { called = true; });
  REQUIRE_FALSE(tap.offer(numbers({1}), 1001));
  REQUIRE_FALSE(called);
}

TEST_CASE("Only selected rows pass a tap") {
  std::vector<std::string> seen;
  Tap tap(0, numbers_schema(), 9, 1000, [&](std::vector<std::string> rows) { seen = std::move(rows); });
  Batch batch = numbers({1, 2, 3});
  batch.selection = std::make_shared<std::vector<uint32_t>>(std::vector<uint32_t>{2});
  REQUIRE(tap.offer(batch, 0));
  REQUIRE(seen == std::vector<std::string>{"{\"n\":3}"});
}

}  // namespace millrace
