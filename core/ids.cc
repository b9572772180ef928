#include "core/ids.h"

#include <cstring>

namespace millrace {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

}  // namespace

JobId JobId::generate(Random& random) {
  JobId id;
  for (size_t i = 0; i < id.bytes.size(); i += sizeof(uint64_t)) {
    const uint64_t word = random.next();
    std::memcpy(id.bytes.data() + i, &word, sizeof word);
  }
  return id;
}

Result<JobId> JobId::parse(std::string_view hex) {
  JobId id;
  bool good = hex.size() == 2 * id.bytes.size();
  for (size_t i = 0; good && i < id.bytes.size(); ++i) {
    const int high = hex_digit(hex[2 * i]);
    const int low = hex_digit(hex[2 * i + 1]);
    good = high >= 0 && low >= 0;
    id.bytes[i] = static_cast<uint8_t>((high << 4) | low);
  }
  if (!good) return make_error(ErrorCode::kBadValue, "`" + std::string(hex) + "` is not a job id", "32 hex digits");
  return id;
}

std::string JobId::to_string() const {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bytes.size());
  for (uint8_t byte : bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

}  // namespace millrace
