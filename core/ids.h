// Identities: a job's 128-bit id, written as 32 lower-case hex digits.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/random.h"
#include "core/status.h"

namespace millrace {

struct JobId {
  std::array<uint8_t, 16> bytes{};

  static JobId generate(Random& random);
  static Result<JobId> parse(std::string_view hex);
  [[nodiscard]] std::string to_string() const;
  friend bool operator==(const JobId&, const JobId&) = default;
};

}  // namespace millrace
