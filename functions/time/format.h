// Patterns such as yyyy-MM-dd HH:mm:ss in the way of Java, for DATE_FORMAT, TO_TIMESTAMP and their kin. Compiled once;
// immutable, any thread. Letters that mean something else here and there are refused.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/status.h"

namespace millrace {

/// The two Java classes that Flink uses differ in how they read.
enum class FormatStyle : uint8_t {
  kStrict,   // DateTimeFormatter: widths are exact, the whole text must match
  kLenient,  // SimpleDateFormat: fields roll over (month 13), text after the last field is ignored
};

class TimeFormat {
 public:
  static Result<TimeFormat> compile(std::string_view pattern, FormatStyle style);

  void append(std::string& out, int64_t millis) const;
  /// Milliseconds (UTC); nothing when the text does not fit.
  [[nodiscard]] std::optional<int64_t> parse(std::string_view text) const;

 private:
  struct Field {
    char letter = 0;  // 0: literal text
    int width = 0;
    std::string text;
  };
  struct Parsed;
  static bool parse_name(const Field& field, std::string_view& text, Parsed& parsed);
  bool parse_field(const Field& field, bool adjacent, std::string_view& text, Parsed& parsed) const;

  std::vector<Field> fields_;
  FormatStyle style_ = FormatStyle::kStrict;
};

}  // namespace millrace
