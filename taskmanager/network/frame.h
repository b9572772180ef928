// The frames between two task managers, version 1, little endian. A header of 40 bytes:
//   u32 CRC-32C of the 36 bytes behind it · u32 body bytes · u32 body bytes before LZ4 · u32 entries · u64 channel ·
//   i64 value · u8 type · u8 element kind · u8 flags (1: LZ4, 2: final barrier, 4: overtaking barrier) · u8 0 ·
//   u32 CRC-32C of a control body
// and the body: a batch in its wire form (data/wire.h, with a checksum of its own), or the fields of a control frame.
// A channel number is given by the receiver of the rows and stands for (job, attempt, edge, from, to); it is never used
// twice, so a frame of an attempt that is gone names a channel that is gone. Pure functions; reading trusts nothing.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/status.h"
#include "runtime/channel.h"
#include "runtime/remote_channels.h"

namespace millrace {

enum class FrameType : uint8_t {
  kHello = 1,  // the first in either direction: Hello
  kOpen,       // the receiver of rows has a channel for them: OpenChannel; channel, value = window bytes, entries
  kElement,    // element kind, value and batch
  kCredit,     // consumed: value bytes and entries of a channel
  kLeave,      // the sender's part of an attempt is gone: JobAttempt
  kAligned,    // value: event time of the slowest source with `max_drift` that the sender has of JobAttempt
};

inline constexpr uint32_t kDataProtocol = 1;
inline constexpr size_t kFrameHeaderBytes = 40;
inline constexpr size_t kFrameBodyMax = 0x7e000000;  // what LZ4 takes
inline constexpr size_t kControlBodyMax = 4096;

struct FrameHeader {
  FrameType type = FrameType::kElement;
  ElementKind element = ElementKind::kBatch;
  bool compressed = false;
  bool final = false;
  bool overtaking = false;  // a barrier that takes no credit: it counts behind all elements sent before it
  uint32_t body_bytes = 0;
  uint32_t raw_bytes = 0;  // body_bytes when not compressed
  uint32_t entries = 0;
  uint64_t channel = 0;
  int64_t value = 0;
  uint32_t body_checksum = 0;
};

struct OutFrame {
  std::array<char, kFrameHeaderBytes> header{};
  std::string body;
};

struct InFrame {
  FrameHeader header;
  std::unique_ptr<char[]> bytes;
  [[nodiscard]] std::string_view body() const { return {bytes.get(), header.body_bytes}; }
};

/// Memory that an element counts for in the window of its channel, the same number on both sides.
inline size_t element_cost(uint32_t raw_bytes) { return 64 + size_t{raw_bytes}; }

/// Body sizes are taken from `body`; raw_bytes is the caller's when compressed.
OutFrame make_frame(FrameHeader header, std::string body = {});
/// kBadMessage when the checksum, the type or a size is wrong. REQUIRES: kFrameHeaderBytes bytes.
Result<FrameHeader> decode_frame_header(std::string_view bytes);

struct Hello {
  uint32_t version = kDataProtocol;
  std::string from;  // task manager ids
  std::string to;
};
struct OpenChannel {
  std::string job_id;
  int64_t attempt = 0;
  ChannelKey key;
  // In the header.
  uint64_t channel = 0;
  size_t window_bytes = 0;
  uint32_t window_entries = 0;
};
struct JobAttempt {
  std::string job_id;
  int64_t attempt = 0;
};

OutFrame encode_hello(const Hello& hello);
OutFrame encode_open(const OpenChannel& open);
OutFrame encode_leave(const JobAttempt& job);
OutFrame encode_aligned(const JobAttempt& job, int64_t slowest);
OutFrame encode_credit(uint64_t channel, size_t bytes, uint32_t entries);
Result<Hello> decode_hello(const InFrame& frame);
Result<OpenChannel> decode_open(const InFrame& frame);
/// Of kLeave and kAligned.
Result<JobAttempt> decode_job_attempt(const InFrame& frame);

}  // namespace millrace
