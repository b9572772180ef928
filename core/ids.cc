#include "core/ids.h"

#include <cstring>

namespace millrace {

JobId JobId::generate(Random& random) {
  JobId id;
  const uint64_t words[2] = {random.next(), random.next()};
  std::memcpy(id.bytes.data(), words, sizeof words);
  return id;
}

Result<JobId> JobId::parse(std::string_view hex) {
  const auto failure = [&] {
    return make_error(ErrorCode::kBadValue, "`" + std::string(hex) + "` is not a job id", "32 hexadecimal digits");
  };
  if (hex.size() != 32) return failure();
  JobId id;
  for (size_t i = 0; i < hex.size(); ++i) {
    const char c = hex[i];
    uint8_t digit = 0;
    if (c >= '0' && c <= '9') {
      digit = static_cast<uint8_t>(c - '0');
    } else if (c >= 'a' && c <= 'f') {
      digit = static_cast<uint8_t>(c - 'a' + 10);
    } else {
      return failure();
    }
    id.bytes[i / 2] = static_cast<uint8_t>(id.bytes[i / 2] * 16 + digit);
  }
  return id;
}

std::string JobId::to_string() const {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  for (const uint8_t byte : bytes) {
    hex.push_back(kDigits[byte >> 4]);
    hex.push_back(kDigits[byte & 15]);
  }
  return hex;
}

}  // namespace millrace
