// Timestamps as texts in records: ISO 8601, SQL's form, and patterns in the letters of Java's DateTimeFormatter.
// Times with a zone are converted to UTC. Pure functions; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/status.h"

namespace millrace {

/// "2026-01-31", "2026-01-31 12:34[:56[.123456789]]", with T instead of the blank, and with Z or +02:00 behind it.
/// Digits below the millisecond are dropped. Strict about the calendar; no blanks around.
std::optional<int64_t> parse_iso_millis(std::string_view text);

/// A compiled pattern: y M d H h m s S a (with repetitions for the width), X and Z for an offset, 'literal' text.
class TimePattern {
 public:
  static Result<TimePattern> compile(std::string_view pattern);
  /// Milliseconds since the epoch; the whole text or nothing. Fields that the pattern lacks are those of
  /// 1970-01-01T00:00.
  [[nodiscard]] std::optional<int64_t> parse(std::string_view text) const;

 private:
  struct Part {
    char letter = 0;  // 0: literal
    int width = 0;
    std::string literal;
  };
  std::vector<Part> parts_;
};

}  // namespace millrace
