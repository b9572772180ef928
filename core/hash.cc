#include "core/hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <array>
#include <cstring>

#if defined(__SSE4_2__)
#include <nmmintrin.h>
#endif

namespace millrace {
namespace {

#if !defined(__SSE4_2__)
constexpr std::array<uint32_t, 256> make_crc32c_table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82f63b78u : 0u);  // reflected Castagnoli
    table[i] = crc;
  }
  return table;
}
constexpr auto kCrc32cTable = make_crc32c_table();
#else
// The instruction takes three cycles, but three of them run at once: long inputs are read as three lanes, which are
// joined by what a lane of zero bytes does to a CRC (a linear map; Mark Adler's crc32c.c describes the method).
constexpr size_t kLaneBytes = 1024;
using CrcMatrix = std::array<uint32_t, 32>;

constexpr uint32_t apply_matrix(const CrcMatrix& matrix, uint32_t crc) {
  uint32_t sum = 0;
  for (size_t bit = 0; crc != 0; crc >>= 1, ++bit) sum ^= (crc & 1) != 0 ? matrix[bit] : 0;
  return sum;
}

constexpr CrcMatrix square_matrix(const CrcMatrix& matrix) {
  CrcMatrix square{};
  for (size_t bit = 0; bit < square.size(); ++bit) square[bit] = apply_matrix(matrix, matrix[bit]);
  return square;
}

constexpr std::array<std::array<uint32_t, 256>, 4> make_lane_shift() {
  CrcMatrix zeros{0x82f63b78u};  // one zero bit
  for (size_t bit = 1; bit < zeros.size(); ++bit) zeros[bit] = 1u << (bit - 1);
  for (size_t bits = 1; bits < kLaneBytes * 8; bits *= 2) zeros = square_matrix(zeros);
  std::array<std::array<uint32_t, 256>, 4> table{};
  for (uint32_t byte = 0; byte < 4; ++byte) {
    for (uint32_t i = 0; i < 256; ++i) table[byte][i] = apply_matrix(zeros, i << (8 * byte));
  }
  return table;
}
constexpr auto kLaneShift = make_lane_shift();

uint64_t shift_lane(uint64_t crc) {
  return kLaneShift[0][crc & 0xff] ^ kLaneShift[1][crc >> 8 & 0xff] ^ kLaneShift[2][crc >> 16 & 0xff] ^
         kLaneShift[3][crc >> 24 & 0xff];
}

uint64_t load_word(const char* from) {
  uint64_t word = 0;
  std::memcpy(&word, from, sizeof word);
  return word;
}

/// Three lanes from `data` on.
uint64_t crc32c_lanes(uint64_t state, const char* data) {
  uint64_t second = 0;
  uint64_t third = 0;
  for (const char* const end = data + kLaneBytes; data < end; data += sizeof(uint64_t)) {
    state = _mm_crc32_u64(state, load_word(data));
    second = _mm_crc32_u64(second, load_word(data + kLaneBytes));
    third = _mm_crc32_u64(third, load_word(data + 2 * kLaneBytes));
  }
  return shift_lane(shift_lane(state) ^ second) ^ third;
}
#endif

}  // namespace

uint64_t hash64(std::string_view bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

uint32_t crc32c(std::string_view bytes, uint32_t crc) {
  const char* data = bytes.data();
  size_t left = bytes.size();
#if defined(__SSE4_2__)
  uint64_t state = ~crc;
  for (; left >= 3 * kLaneBytes; left -= 3 * kLaneBytes, data += 3 * kLaneBytes) state = crc32c_lanes(state, data);
  for (; left >= sizeof(uint64_t); left -= sizeof(uint64_t), data += sizeof(uint64_t)) {
    state = _mm_crc32_u64(state, load_word(data));
  }
  auto narrow = static_cast<uint32_t>(state);
  for (; left > 0; --left, ++data) narrow = _mm_crc32_u8(narrow, static_cast<uint8_t>(*data));
  return ~narrow;
#else
  uint32_t state = ~crc;
  for (; left > 0; --left, ++data) state = (state >> 8) ^ kCrc32cTable[(state ^ static_cast<uint8_t>(*data)) & 0xff];
  return ~state;
#endif
}

}  // namespace millrace
