#include "runtime/operators/key_timers.h"

#include <set>

#include "core/random.h"
#include "tests/unit/operators/spill_support.h"

namespace millrace {

namespace {

const StateDescriptor kState{"step", "rows", StateKind::kKeyed, "r"};

/// All timers up to `until`, in the order in which they come.
std::vector<std::pair<int64_t, std::string>> take(KeyTimers& timers, int64_t until) {
  std::vector<std::pair<int64_t, std::string>> taken;
  while (true) {
    const auto due = timers.due(until);
    if (!due) FAIL(due.error().message);
    if (!*due) return taken;
    taken.push_back(timers.pop());
  }
}

}  // namespace

TEST_CASE("Timers that left memory come back in the order of time, each once") {
  SeededRandom random(7);
  SpillFixture fixture("timers");
  KeyTimers timers;
  REQUIRE(timers.open(fixture.context, kState, "timers"));
  std::set<std::pair<int64_t, std::string>> expected;
  for (int64_t now = 0; now < 400; now += 10) {
    for (int i = 0; i < 50; ++i) {
      const int64_t time = now + 1 + static_cast<int64_t>(random.below(80));
      const std::string key = "k" + std::to_string(random.below(20));
      timers.set(time, key);
      expected.emplace(time, key);
    }
    if (random.below(3) > 0) REQUIRE(timers.spill(random.below(2) == 0 ? SIZE_MAX : 2000));
    if (random.below(4) == 0) continue;
    auto taken = take(timers, now);
    CHECK(std::ranges::is_sorted(taken, {}, &std::pair<int64_t, std::string>::first));
    std::vector<std::pair<int64_t, std::string>> due;
    while (!expected.empty() && expected.begin()->first <= now) {
      due.push_back(expected.extract(expected.begin()).value());
    }
    std::ranges::sort(taken);
    REQUIRE(taken == due);
    CHECK(timers.next() == (expected.empty() ? INT64_MAX : expected.begin()->first));
  }
  REQUIRE(timers.spill(SIZE_MAX));
  CHECK(take(timers, INT64_MAX).size() == expected.size());
  CHECK(timers.empty());
  CHECK(timers.memory_bytes() == 0);
}

TEST_CASE("More timers of one time than come back at once lose none and do not fill memory") {
  SpillFixture fixture("timers");
  KeyTimers timers;
  REQUIRE(timers.open(fixture.context, kState, "timers"));
  constexpr int kTimers = 200'000;
  for (int i = 0; i < kTimers; ++i) timers.set(i < 10 ? 1 : 2, "key" + std::to_string(i));
  REQUIRE(timers.spill(SIZE_MAX));
  CHECK(timers.memory_bytes() == 0);
  std::set<std::string> keys;
  size_t most = 0;
  while (true) {
    const auto due = timers.due(5);
    if (!due) FAIL(due.error().message);
    if (!*due) break;
    most = std::max(most, timers.memory_bytes());
    keys.insert(timers.pop().second);
  }
  CHECK(keys.size() == kTimers);
  CHECK(most < size_t{kTimers} * 60);
}

TEST_CASE("A timer at the end of time is a timer") {
  SpillFixture fixture("timers");
  KeyTimers timers;
  REQUIRE(timers.open(fixture.context, kState, "timers"));
  CHECK(take(timers, INT64_MAX - 1).empty());
  timers.set(INT64_MAX, "k");
  REQUIRE(timers.spill(SIZE_MAX));
  CHECK(!timers.empty());
  CHECK(take(timers, INT64_MAX).size() == 1);
}

}  // namespace millrace
