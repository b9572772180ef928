// A Kafka record as it waits in a segment: flags, timestamp, key, value.
#pragma once

#include <string>
#include <string_view>

#include "connectors/kafka/client.h"
#include "core/bytes.h"

namespace millrace {

inline void encode_out_row(const KafkaOutRecord& record, std::string& out) {
  ByteWriter writer;
  writer.put<uint8_t>(static_cast<uint8_t>((record.has_value ? 1 : 0) | (record.has_key ? 2 : 0)));
  writer.put<int64_t>(record.timestamp);
  writer.put_string(record.has_key ? record.key : std::string_view{});
  out = writer.take();
  if (record.has_value) out.append(record.value);
}

/// The views point into `bytes`.
inline bool decode_out_row(std::string_view bytes, KafkaOutRecord& record) {
  ByteReader in(bytes);
  const auto flags = in.get<uint8_t>();
  record.has_value = (flags & 1) != 0;
  record.has_key = (flags & 2) != 0;
  record.timestamp = in.get<int64_t>();
  record.key = in.get_string();
  record.value = in.get_raw(in.left());
  return in.ok();
}

}  // namespace millrace
