// Constants that data/wire_encode.cc and data/wire_decode.cc share. Not for others.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace millrace {

inline constexpr std::string_view kWireMagic = "MRB1";
inline constexpr size_t kWireHeaderBytes = 8;  // magic and checksum
inline constexpr uint8_t kWireHasKinds = 1;
inline constexpr uint8_t kWireColumnAbsent = 0;
inline constexpr uint8_t kWireColumnHasNulls = 0x80;

}  // namespace millrace
