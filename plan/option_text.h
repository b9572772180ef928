// Durations and sizes as users write them, both ways. Pure functions; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace millrace {

/// "250ms", "10s", "1h30m", "7d", "-10m" in milliseconds; "0" needs no unit. Nothing when not understood or too large.
std::optional<int64_t> parse_duration(std::string_view text);
/// "64KiB" (1024), "128MB" (1000), "512B"; "0" needs no unit.
std::optional<int64_t> parse_bytes(std::string_view text);
/// "1h30m", "250ms", "0s".
std::string format_duration(int64_t ms);

}  // namespace millrace
