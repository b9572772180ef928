// Text of numbers: the shortest digits that read back as the same value, in Java's layout (CAST AS STRING) and in the
// layout of the JSON output. Pure functions; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace millrace {

/// Double.toString: "1.5", "100.0", "1.0E7", "1.0E-5", "NaN", "-Infinity".
void append_java_double(std::string& out, double value);
void append_java_float(std::string& out, float value);

/// JSON number with a point or an exponent ("1.0", "1e+300"); NaN and infinities as quoted strings.
void append_json_double(std::string& out, double value);
void append_json_float(std::string& out, float value);

/// "1.5", "1e7", "NaN", "Infinity" with a sign, Java's trailing d/f; the whole text or nothing. No blanks.
std::optional<double> parse_double(std::string_view text);
/// Decimal digits with a sign; overflow gives nothing.
std::optional<int64_t> parse_int64(std::string_view text);

/// Without blanks (and control characters, as Java's trim) at both ends.
std::string_view trim_blanks(std::string_view text);

}  // namespace millrace
