// Texts that several folders write alike: JSON strings and UTC times. Pure functions; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace millrace {

/// Quoted and escaped; bytes that are not UTF-8 become U+FFFD, so the result is always valid JSON.
void append_json_string(std::string& out, std::string_view text);

/// "2026-01-31T12:00:00.123Z" from milliseconds since the epoch.
std::string utc_text(int64_t wall_ms);

/// Length in bytes of the valid UTF-8 sequence at the front of `text`, 0 when it is invalid. REQUIRES: not empty.
size_t utf8_sequence_size(std::string_view text);

}  // namespace millrace
