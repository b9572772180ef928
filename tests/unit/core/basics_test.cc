#include <catch2/catch.hpp>

#include <set>
#include <thread>

#include "core/bytes.h"
#include "core/clock.h"
#include "core/hash.h"
#include "core/ids.h"
#include "core/nearest.h"
#include "core/random.h"
#include "core/spsc_queue.h"
#include "core/waker.h"

using namespace millrace;

TEST_CASE("xoshiro256** gives the same numbers for a seed for ever") {
  SeededRandom random(42);
  CHECK(random.next() == 0x15780b2e0c2ec716);
  CHECK(random.next() == 0x6104d9866d113a7e);
  SeededRandom again(42);
  again.next();
  again.next();
  CHECK(random.next() == again.next());
  for (int i = 0; i < 1000; ++i) {
    CHECK(random.below(7) < 7);
    CHECK(random.unit() < 1.0);
  }
}

TEST_CASE("the kernel's randomness does not repeat itself") { CHECK(system_random().next() != system_random().next()); }

TEST_CASE("a job id is 32 hex digits and reads back") {
  SeededRandom random(7);
  const JobId id = JobId::generate(random);
  CHECK(id.to_string().size() == 32);
  CHECK(*JobId::parse(id.to_string()) == id);
  CHECK(JobId::generate(random) != id);
  for (const char* text : {"", "00", "0123456789abcdef0123456789abcdeX", "0123456789ABCDEF0123456789abcdef"}) {
    CHECK_FALSE(JobId::parse(text));
  }
}

TEST_CASE("crc32c matches the vectors of RFC 3720") {
  CHECK(crc32c("123456789") == 0xe3069283);
  CHECK(crc32c(std::string(32, '\0')) == 0x8a9136aa);
  CHECK(crc32c(std::string(32, '\xff')) == 0x62a8ab43);
  CHECK(crc32c("") == 0);
  CHECK(crc32c("6789", crc32c("12345")) == crc32c("123456789"));
}

TEST_CASE("crc32c of long inputs, read as lanes, is that of their pieces one after the other") {
  SeededRandom random(7);
  std::string bytes(20'000, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random.below(256));
  for (const size_t size : {3071U, 3072U, 3073U, 6143U, 6144U, 9999U, 20'000U}) {
    const std::string_view all = std::string_view(bytes).substr(0, size);
    uint32_t crc = 0;
    for (size_t at = 0; at < size; at += 100) crc = crc32c(all.substr(at, 100), crc);
    CHECK(crc32c(all) == crc);
  }
}

TEST_CASE("hash64 is XXH3-64 with seed 0") { CHECK(hash64("") == 0x2d06800538d394c2); }

TEST_CASE("a byte reader never runs past its end") {
  ByteWriter writer;
  writer.put<uint32_t>(7);
  writer.put_varint(300);
  writer.put_string("abc");
  const std::string bytes = writer.take();
  ByteReader reader(bytes);
  CHECK(reader.get<uint32_t>() == 7);
  CHECK(reader.get_varint() == 300);
  CHECK(reader.get_string() == "abc");
  CHECK(reader.done());
  CHECK(reader.get<uint64_t>() == 0);
  CHECK_FALSE(reader.ok());
  for (size_t size = 0; size < bytes.size(); ++size) {
    ByteReader cut(std::string_view(bytes).substr(0, size));
    cut.get<uint32_t>();
    cut.get_varint();
    cut.get_string();
    CHECK_FALSE(cut.ok());
  }
}

TEST_CASE("a manual clock moves only when told") {
  ManualClock clock(1000);
  clock.advance_ms(5);
  CHECK(clock.wall_ms() == 1005);
  CHECK(clock.monotonic_ns() == 1'005'000'000);
  const int64_t before = system_clock().monotonic_ns();
  CHECK(system_clock().monotonic_ns() >= before);
  CHECK(system_clock().wall_ms() > 1'600'000'000'000);
}

TEST_CASE("a queue hands entries over in order and refuses when full") {
  SpscQueue<std::string> queue(3);
  CHECK(queue.capacity() == 4);
  for (const char* text : {"a", "b", "c", "d"}) {
    std::string entry = text;
    CHECK(queue.push(entry));
  }
  std::string fifth = "e";
  CHECK_FALSE(queue.push(fifth));
  CHECK(fifth == "e");
  CHECK(*queue.front() == "a");
  CHECK(queue.pop() == "a");
  CHECK(queue.push(fifth));
  for (const char* text : {"b", "c", "d", "e"}) CHECK(queue.pop() == text);
  CHECK_FALSE(queue.pop().has_value());
}

TEST_CASE("a queue between two threads loses and repeats nothing") {
  SpscQueue<int> queue(8);
  constexpr int kCount = 20'000;
  std::thread producer([&] {
    for (int i = 0; i < kCount;) {
      int value = i;
      if (queue.push(value)) {
        ++i;
      } else {
        std::this_thread::yield();
      }
    }
  });
  int expected = 0;
  while (expected < kCount) {
    if (auto value = queue.pop()) {
      if (*value != expected) break;
      ++expected;
    } else {
      std::this_thread::yield();
    }
  }
  CHECK(expected == kCount);
  producer.join();
}

TEST_CASE("a notice before the wait is not lost") {
  Waker waker;
  waker.notify();
  waker.notify();
  waker.wait(-1);  // would never return if the notice were lost
  waker.wait(0);
  int value = 0;
  std::thread other([&] {
    value = 1;
    waker.notify();
  });
  waker.wait(-1);
  other.join();
  CHECK(value == 1);
}

TEST_CASE("a misspelt name finds its neighbour, a strange one nothing") {
  const std::string_view names[] = {"price", "bidder", "auction"};
  CHECK(nearest_name("pirce", names) == "price");
  CHECK(nearest_name("PRICE", names) == "price");
  CHECK(nearest_name("zebra", names).empty());
}
