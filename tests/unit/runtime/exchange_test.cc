#include "runtime/exchange.h"

#include <catch2/catch.hpp>
#include <numeric>

#include "tests/unit/runtime/test_rows.h"

namespace millrace {

namespace {

struct ThreeTargets {
  Channel channels[3];
  EdgeOutput output;
  explicit ThreeTargets(Partitioning partitioning)
      : output({.partitioning = partitioning, .key_columns = {0}, .schema = numbers_schema()},
               {&channels[0], &channels[1], &channels[2]}) {}
  std::vector<int64_t> rows(int target) {
    std::vector<int64_t> all;
    while (channels[target].front() != nullptr) {
      for (const int64_t n : numbers_of(channels[target].pop().batch)) all.push_back(n);
    }
    return all;
  }
};

std::vector<int64_t> thousand_numbers() {
  std::vector<int64_t> values(1000);
  std::iota(values.begin(), values.end(), 0);
  return values;
}

}  // namespace

TEST_CASE("A hash edge sends each key to the owner of its key group, and waits for the buffer timeout") {
  ThreeTargets edge(Partitioning::kHash);
  edge.output.emit(numbers(thousand_numbers()), 100);
  REQUIRE(edge.output.drain());
  REQUIRE(edge.channels[0].front() == nullptr);
  REQUIRE(edge.output.next_flush_ms() == 105);
  edge.output.flush_due(104);
  REQUIRE(edge.output.drain());
  REQUIRE(edge.channels[0].front() == nullptr);
  edge.output.flush_due(105);
  REQUIRE(edge.output.drain());
  size_t total = 0;
  for (int target = 0; target < 3; ++target) {
    const std::vector<int64_t> rows = edge.rows(target);
    total += rows.size();
    REQUIRE(rows.size() > 100);
    EncodedKeys keys;
    encode_keys(numbers(rows), *numbers_schema(), std::vector<uint32_t>{0}, keys);
    for (const uint64_t hash : keys.hashes) {
      REQUIRE(owner_of_key_group(key_group_of(hash, 128), 128, 3) == static_cast<uint32_t>(target));
    }
  }
  REQUIRE(total == 1000);
}

TEST_CASE("A watermark leaves a hash edge behind the rows collected before it, on every channel") {
  ThreeTargets edge(Partitioning::kHash);
  edge.output.emit(numbers(thousand_numbers()), 0);
  edge.output.broadcast(ElementKind::kWatermark, 42, false);
  REQUIRE(edge.output.drain());
  for (Channel& channel : edge.channels) {
    REQUIRE(channel.pop().kind == ElementKind::kBatch);
    const Element last = channel.pop();
    REQUIRE(last.kind == ElementKind::kWatermark);
    REQUIRE(last.value == 42);
    REQUIRE(channel.front() == nullptr);
  }
}

TEST_CASE("A full target does not keep a barrier from the others") {
  Channel narrow(1);
  Channel wide;
  EdgeOutput output({.partitioning = Partitioning::kBroadcast, .schema = numbers_schema()}, {&narrow, &wide});
  output.emit(numbers({1}), 0);
  output.emit(numbers({2}), 0);
  output.broadcast(ElementKind::kBarrier, 1, false);
  REQUIRE_FALSE(output.drain());
  REQUIRE(narrow.entries() == 1);
  REQUIRE(wide.entries() == 3);
}

TEST_CASE("Forward edges between unequal parallelisms keep each producer on few consumers") {
  REQUIRE(edge_targets(Partitioning::kForward, 4, 3, 2) == std::vector<uint32_t>{1});
  REQUIRE(edge_targets(Partitioning::kForward, 2, 1, 5) == std::vector<uint32_t>{1, 3});
  REQUIRE(edge_targets(Partitioning::kGlobal, 4, 3, 1) == std::vector<uint32_t>{0});
  REQUIRE(edge_targets(Partitioning::kHash, 1, 0, 3) == std::vector<uint32_t>{0, 1, 2});
}

TEST_CASE("A batch of which a filter left little is copied before it enters a channel") {
  Channel channel;
  EdgeOutput output({.schema = numbers_schema()}, {&channel});
  Batch batch = numbers(thousand_numbers());
  batch.selection = std::make_shared<std::vector<uint32_t>>(std::vector<uint32_t>{17});
  output.emit(batch, 0);
  REQUIRE(output.drain());
  const Batch sent = channel.pop().batch;
  REQUIRE(sent.rows == 1);
  REQUIRE(numbers_of(sent) == std::vector<int64_t>{17});
}

}  // namespace millrace
