#include "taskmanager/network/frame.h"

#include <cstring>

#include "core/bytes.h"
#include "core/hash.h"

namespace millrace {

namespace {

constexpr uint8_t kFlagCompressed = 1;
constexpr uint8_t kFlagFinal = 2;
constexpr uint8_t kFlagOvertaking = 4;
constexpr uint64_t kLz4RatioMax = 255;

std::unexpected<Error> frame_error(const char* what) {
  return make_error(ErrorCode::kBadMessage, std::string("a frame cannot be read: ") + what);
}

OutFrame make_control(FrameHeader header, std::string body) {
  header.body_checksum = crc32c(body);
  return make_frame(header, std::move(body));
}

std::string job_body(const JobAttempt& job) {
  ByteWriter body;
  body.put_string(job.job_id);
  body.put(job.attempt);
  return body.take();
}

/// The body of a control frame, whose checksum is in the header.
Result<ByteReader> control_body(const InFrame& frame) {
  if (crc32c(frame.body()) != frame.header.body_checksum) return frame_error("the checksum does not match");
  return ByteReader(frame.body());
}

}  // namespace

OutFrame make_frame(FrameHeader header, std::string body) {
  OutFrame frame;
  header.body_bytes = static_cast<uint32_t>(body.size());
  if (!header.compressed) header.raw_bytes = header.body_bytes;
  const auto flags = static_cast<uint8_t>((header.compressed ? kFlagCompressed : 0) | (header.final ? kFlagFinal : 0) |
                                          (header.overtaking ? kFlagOvertaking : 0));
  ByteWriter out;
  out.put(header.body_bytes);
  out.put(header.raw_bytes);
  out.put(header.entries);
  out.put(header.channel);
  out.put(header.value);
  out.put(static_cast<uint8_t>(header.type));
  out.put(static_cast<uint8_t>(header.element));
  out.put(flags);
  out.put(uint8_t{0});
  out.put(header.body_checksum);
  const uint32_t checksum = crc32c(out.view());
  std::memcpy(frame.header.data(), &checksum, sizeof checksum);
  std::memcpy(frame.header.data() + sizeof checksum, out.view().data(), out.size());
  frame.body = std::move(body);
  return frame;
}

Result<FrameHeader> decode_frame_header(std::string_view bytes) {
  ByteReader in(bytes);
  const auto checksum = in.get<uint32_t>();
  if (crc32c(bytes.substr(sizeof checksum)) != checksum) return frame_error("the header's checksum does not match");
  FrameHeader header;
  header.body_bytes = in.get<uint32_t>();
  header.raw_bytes = in.get<uint32_t>();
  header.entries = in.get<uint32_t>();
  header.channel = in.get<uint64_t>();
  header.value = in.get<int64_t>();
  const auto type = in.get<uint8_t>();
  const auto element = in.get<uint8_t>();
  const auto flags = in.get<uint8_t>();
  in.get<uint8_t>();
  header.body_checksum = in.get<uint32_t>();
  if (type < static_cast<uint8_t>(FrameType::kHello) || type > static_cast<uint8_t>(FrameType::kAligned)) {
    return frame_error("its type is unknown");
  }
  if (element > static_cast<uint8_t>(ElementKind::kEnd)) return frame_error("its kind of element is unknown");
  header.type = static_cast<FrameType>(type);
  header.element = static_cast<ElementKind>(element);
  header.compressed = (flags & kFlagCompressed) != 0;
  header.final = (flags & kFlagFinal) != 0;
  header.overtaking = (flags & kFlagOvertaking) != 0;
  const size_t body_max = header.type == FrameType::kElement ? kFrameBodyMax : kControlBodyMax;
  if (header.body_bytes > body_max || header.raw_bytes > body_max) return frame_error("it is too large");
  const bool fits =
      header.compressed ? header.raw_bytes <= header.body_bytes * kLz4RatioMax : header.raw_bytes == header.body_bytes;
  if (!fits) return frame_error("its sizes do not fit");
  return header;
}

OutFrame encode_hello(const Hello& hello) {
  ByteWriter body;
  body.put(hello.version);
  body.put_string(hello.from);
  body.put_string(hello.to);
  return make_control({.type = FrameType::kHello}, body.take());
}

Result<Hello> decode_hello(const InFrame& frame) {
  MR_ASSIGN(ByteReader in, control_body(frame));
  Hello hello;
  hello.version = in.get<uint32_t>();
  if (in.ok() && hello.version != kDataProtocol) return hello;  // only the version can be understood
  hello.from = in.get_string();
  hello.to = in.get_string();
  if (!in.done() || hello.from.empty()) return frame_error("the hello is damaged");
  return hello;
}

OutFrame encode_open(const OpenChannel& open) {
  ByteWriter body;
  body.put_string(open.job_id);
  body.put(open.attempt);
  body.put(open.key.edge);
  body.put(open.key.from);
  body.put(open.key.to);
  return make_control({.type = FrameType::kOpen,
                       .entries = open.window_entries,
                       .channel = open.channel,
                       .value = static_cast<int64_t>(open.window_bytes)},
                      body.take());
}

Result<OpenChannel> decode_open(const InFrame& frame) {
  MR_ASSIGN(ByteReader in, control_body(frame));
  OpenChannel open;
  open.job_id = in.get_string();
  open.attempt = in.get<int64_t>();
  open.key.edge = in.get<uint32_t>();
  open.key.from = in.get<uint32_t>();
  open.key.to = in.get<uint32_t>();
  open.channel = frame.header.channel;
  open.window_entries = frame.header.entries;
  open.window_bytes = static_cast<size_t>(frame.header.value);
  if (!in.done() || frame.header.value <= 0 || open.window_entries == 0) return frame_error("a channel is damaged");
  return open;
}

OutFrame encode_leave(const JobAttempt& job) { return make_control({.type = FrameType::kLeave}, job_body(job)); }

OutFrame encode_aligned(const JobAttempt& job, int64_t slowest) {
  return make_control({.type = FrameType::kAligned, .value = slowest}, job_body(job));
}

Result<JobAttempt> decode_job_attempt(const InFrame& frame) {
  MR_ASSIGN(ByteReader in, control_body(frame));
  JobAttempt job;
  job.job_id = in.get_string();
  job.attempt = in.get<int64_t>();
  if (!in.done()) return frame_error("the name of a job is damaged");
  return job;
}

OutFrame encode_credit(uint64_t channel, size_t bytes, uint32_t entries) {
  return make_frame(
      {.type = FrameType::kCredit, .entries = entries, .channel = channel, .value = static_cast<int64_t>(bytes)});
}

}  // namespace millrace
