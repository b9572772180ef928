#include "taskmanager/network/frame.h"

#include <catch2/catch.hpp>

namespace millrace {

namespace {

std::string_view header_of(const OutFrame& frame) { return {frame.header.data(), frame.header.size()}; }

InFrame arrived(const OutFrame& sent) {
  InFrame frame;
  frame.header = decode_frame_header(header_of(sent)).value();
  frame.bytes = std::make_unique<char[]>(sent.body.size());
  std::copy(sent.body.begin(), sent.body.end(), frame.bytes.get());
  return frame;
}

}  // namespace

TEST_CASE("The header of a frame comes back as it was written") {
  const OutFrame frame = make_frame({.type = FrameType::kElement,
                                     .element = ElementKind::kBarrier,
                                     .compressed = true,
                                     .final = true,
                                     .raw_bytes = 700,
                                     .entries = 4,
                                     .channel = 1ULL << 40,
                                     .value = -5},
                                    "0123456789");
  const FrameHeader header = decode_frame_header(header_of(frame)).value();
  REQUIRE(header.type == FrameType::kElement);
  REQUIRE(header.element == ElementKind::kBarrier);
  REQUIRE((header.compressed && header.final));
  REQUIRE(header.body_bytes == 10);
  REQUIRE(header.raw_bytes == 700);
  REQUIRE(header.entries == 4);
  REQUIRE(header.channel == 1ULL << 40);
  REQUIRE(header.value == -5);
}

TEST_CASE("A flipped bit anywhere in a header is noticed") {
  const OutFrame frame = encode_credit(77, 1000, 3);
  for (size_t bit = 0; bit < kFrameHeaderBytes * 8; ++bit) {
    OutFrame damaged = frame;
    damaged.header[bit / 8] = static_cast<char>(damaged.header[bit / 8] ^ (1 << (bit % 8)));
    REQUIRE_FALSE(decode_frame_header(header_of(damaged)));
  }
}

TEST_CASE("A header whose sizes cannot be is refused though its checksum is right") {
  REQUIRE_FALSE(decode_frame_header(header_of(make_frame({.compressed = true, .raw_bytes = 256}, "x"))));
  REQUIRE_FALSE(decode_frame_header(header_of(make_frame({.type = FrameType::kOpen}, std::string(5000, 'x')))));
}

TEST_CASE("Control frames come back as they were written, and a flipped bit in their body is noticed") {
  const OutFrame hello = encode_hello({.from = "tm1", .to = "tm2"});
  REQUIRE(decode_hello(arrived(hello))->from == "tm1");
  REQUIRE(decode_hello(arrived(hello))->to == "tm2");

  OpenChannel open{
      .job_id = "job", .attempt = 9, .key = {1, 2, 3}, .channel = 8, .window_bytes = 64, .window_entries = 2};
  const OutFrame opening = encode_open(open);
  const OpenChannel opened = decode_open(arrived(opening)).value();
  REQUIRE(opened.job_id == "job");
  REQUIRE(opened.attempt == 9);
  REQUIRE(opened.key == ChannelKey{1, 2, 3});
  REQUIRE(opened.channel == 8);
  REQUIRE(opened.window_bytes == 64);
  REQUIRE(opened.window_entries == 2);

  REQUIRE(decode_job_attempt(arrived(encode_leave({"job", 9})))->attempt == 9);
  const InFrame aligned = arrived(encode_aligned({"job", 9}, -77));
  REQUIRE(decode_job_attempt(aligned)->job_id == "job");
  REQUIRE(aligned.header.value == -77);
  for (size_t bit = 0; bit < opening.body.size() * 8; ++bit) {
    OutFrame damaged = opening;
    damaged.body[bit / 8] = static_cast<char>(damaged.body[bit / 8] ^ (1 << (bit % 8)));
    REQUIRE_FALSE(decode_open(arrived(damaged)));
  }
}

}  // namespace millrace
