// Checksums and hashes with a fixed meaning on disk: XXH3-64 seed 0 for keys, CRC-32C (Castagnoli) for blocks.
#pragma once

#include <cstdint>
#include <string_view>

namespace millrace {

uint64_t hash64(std::string_view bytes);
/// Continues from `crc` (0 at the start).
uint32_t crc32c(std::string_view bytes, uint32_t crc = 0);

}  // namespace millrace
