#include "runtime/channel.h"

#include <catch2/catch.hpp>
#include <thread>

#include "tests/unit/runtime/test_rows.h"

namespace millrace {

namespace {

Element batch_element(const std::vector<int64_t>& values) {
  Element element;
  element.batch = numbers(values);
  return element;
}

Element watermark_element(int64_t value) {
  Element element;
  element.kind = ElementKind::kWatermark;
  element.value = value;
  return element;
}

}  // namespace

TEST_CASE("An empty channel takes a batch larger than its bound") {
  Channel channel(16);
  Element large = batch_element(std::vector<int64_t>(1000, 7));
  REQUIRE(channel.offer(large));
  REQUIRE(channel.bytes() > 16);
}

TEST_CASE("A channel over its bound refuses and leaves the element untouched") {
  Channel channel(16);
  Element first = batch_element({1});
  REQUIRE(channel.offer(first));
  Element second = batch_element({2, 3});
  REQUIRE_FALSE(channel.offer(second));
  REQUIRE(numbers_of(second.batch) == std::vector<int64_t>{2, 3});
  REQUIRE(numbers_of(channel.pop().batch) == std::vector<int64_t>{1});
  REQUIRE(channel.offer(second));
  REQUIRE(numbers_of(channel.pop().batch) == std::vector<int64_t>{2, 3});
  REQUIRE(channel.front() == nullptr);
  REQUIRE(channel.bytes() == 0);
}

TEST_CASE("Elements leave a channel in the order in which they came") {
  Channel channel;
  for (int64_t i = 0; i < 10; ++i) {
    Element element = i % 2 == 0 ? batch_element({i}) : watermark_element(i);
    REQUIRE(channel.offer(element));
  }
  for (int64_t i = 0; i < 10; ++i) {
    const Element element = channel.pop();
    if (i % 2 == 0) {
      REQUIRE(numbers_of(element.batch) == std::vector<int64_t>{i});
    } else {
      REQUIRE(element.kind == ElementKind::kWatermark);
      REQUIRE(element.value == i);
    }
  }
}

TEST_CASE("A channel wakes the consumer for elements and the refused producer for room") {
  constexpr int64_t kElements = 20'000;
  Waker producer;
  Waker consumer;
  Channel channel(4 * 1024, 16);
  channel.connect(&producer, &consumer);
  std::thread writer([&] {
    for (int64_t i = 0; i < kElements; ++i) {
      Element element = batch_element({i});
      while (!channel.offer(element)) producer.wait(-1);  // hangs when a notice is lost
    }
  });
  int64_t sum = 0;
  for (int64_t i = 0; i < kElements; ++i) {
    while (channel.front() == nullptr) consumer.wait(-1);
    sum += numbers_of(channel.pop().batch)[0];
  }
  writer.join();
  REQUIRE(sum == kElements * (kElements - 1) / 2);
}

}  // namespace millrace
