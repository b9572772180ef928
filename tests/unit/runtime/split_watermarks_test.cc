#include "runtime/split_watermarks.h"

#include <catch2/catch.hpp>

namespace millrace {

TEST_CASE("A split's watermark is its highest timestamp less the out-of-orderness and a millisecond") {
  SplitWatermarks watermarks(5, -1);
  watermarks.add({}, 0);
  REQUIRE(watermarks.combined() == kWatermarkMin);
  watermarks.rows(0, 100, 0);
  REQUIRE(watermarks.combined() == 94);
  watermarks.rows(0, 50, 0);
  REQUIRE(watermarks.combined() == 94);
}

TEST_CASE("The slowest split that is neither idle nor finished decides") {
  SplitWatermarks watermarks(0, 10);
  watermarks.add({}, 0);
  watermarks.add({}, 0);
  watermarks.rows(0, 100, 5);
  REQUIRE(watermarks.combined() == kWatermarkMin);
  watermarks.look_for_idle(1, false, 50);  // behind its end: slow, not idle
  REQUIRE(watermarks.combined() == kWatermarkMin);
  watermarks.look_for_idle(1, true, 50);
  REQUIRE(watermarks.combined() == 99);
  watermarks.finish(0);
  REQUIRE(watermarks.all_idle());
  REQUIRE(watermarks.combined() == 99);
}

TEST_CASE("All splits idle at once: the highest of their watermarks counts") {
  SplitWatermarks watermarks(0, 10);
  watermarks.add({}, 0);
  watermarks.add({}, 0);
  watermarks.rows(0, 100, 0);
  watermarks.look_for_idle(0, true, 10);
  REQUIRE(watermarks.combined() == kWatermarkMin);
  watermarks.look_for_idle(1, true, 10);
  REQUIRE(watermarks.combined() == 99);
}

TEST_CASE("A split turns idle only after the timeout of unblocked time") {
  SplitWatermarks watermarks(0, 10);
  watermarks.add({}, 0);
  watermarks.rows(0, 100, 20);
  REQUIRE(watermarks.next_idle_ms() == 30);
  watermarks.look_for_idle(0, true, 29);
  REQUIRE_FALSE(watermarks.all_idle());
  watermarks.look_for_idle(0, true, 30);
  REQUIRE(watermarks.all_idle());
  watermarks.rows(0, 101, 31);
  REQUIRE_FALSE(watermarks.all_idle());
}

TEST_CASE("A restored split keeps its watermark, and an idle one is saved with the combined one") {
  SplitWatermarks watermarks(0, 10);
  watermarks.add({.max_timestamp = 50, .watermark = 49}, 0);
  watermarks.add({.max_timestamp = 7, .watermark = 6}, 0);
  REQUIRE(watermarks.combined() == 6);
  watermarks.look_for_idle(1, true, 10);
  REQUIRE(watermarks.combined() == 49);
  REQUIRE(watermarks.saved(1).watermark == 49);
  REQUIRE(watermarks.saved(1).max_timestamp == 7);
}

TEST_CASE("Timestamps near the lowest value do not wrap around") {
  SplitWatermarks watermarks(1000, -1);
  watermarks.add({}, 0);
  watermarks.rows(0, kWatermarkMin + 5, 0);
  REQUIRE(watermarks.combined() == kWatermarkMin);
}

}  // namespace millrace
