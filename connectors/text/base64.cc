#include "connectors/text/base64.h"

#include <array>
#include <cstdint>

namespace millrace {
namespace {

constexpr std::string_view kBase64Letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr std::array<int8_t, 256> make_base64_values() {
  std::array<int8_t, 256> values{};
  for (auto& v : values) v = -1;
  for (size_t i = 0; i < kBase64Letters.size(); ++i)
    values[static_cast<uint8_t>(kBase64Letters[i])] = static_cast<int8_t>(i);
  return values;
}
constexpr std::array<int8_t, 256> kBase64Values = make_base64_values();

}  // namespace

void append_base64(std::string& out, std::string_view bytes) {
  size_t i = 0;
  const auto at = [&](size_t index) { return static_cast<uint32_t>(static_cast<uint8_t>(bytes[index])); };
  for (; i + 3 <= bytes.size(); i += 3) {
    const uint32_t word = at(i) << 16 | at(i + 1) << 8 | at(i + 2);
    for (int shift = 18; shift >= 0; shift -= 6) out.push_back(kBase64Letters[(word >> shift) & 63]);
  }
  const size_t rest = bytes.size() - i;
  if (rest == 0) return;
  const uint32_t word = at(i) << 16 | (rest == 2 ? at(i + 1) << 8 : 0);
  out.push_back(kBase64Letters[(word >> 18) & 63]);
  out.push_back(kBase64Letters[(word >> 12) & 63]);
  out.push_back(rest == 2 ? kBase64Letters[(word >> 6) & 63] : '=');
  out.push_back('=');
}

bool decode_base64(std::string_view text, std::string& out) {
  if (text.size() % 4 == 0) {
    for (int i = 0; i < 2 && !text.empty() && text.back() == '='; ++i) text.remove_suffix(1);
  }
  if (text.size() % 4 == 1) return false;
  uint32_t word = 0;
  int bits = 0;
  for (const char c : text) {
    const int8_t value = kBase64Values[static_cast<uint8_t>(c)];
    if (value < 0) return false;
    word = word << 6 | static_cast<uint32_t>(value);
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      out.push_back(static_cast<char>((word >> bits) & 0xff));
    }
  }
  return (word & ((1U << bits) - 1)) == 0;  // left-over bits must be zero
}

}  // namespace millrace
