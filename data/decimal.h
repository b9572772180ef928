// Exact DECIMAL arithmetic on unscaled 128-bit integers: rescaling (half up, away from zero), checked operations with
// the intermediate precision they need, and text forms. Pure functions; any thread. Invariant: |unscaled| <
// 10^precision <= 10^38, which fits int128.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "data/column.h"

namespace millrace {

/// 10^n, 0 <= n <= 38.
int128 decimal_power10(int n);

/// |value| < 10^precision.
bool decimal_fits(int128 value, int precision);

/// Changes the scale, rounding half away from zero; false when the result has more than `precision` digits.
bool decimal_rescale(int128 value, int from_scale, int to_scale, int precision, int128& out);

/// Drops digits instead of rounding (toward zero).
bool decimal_truncate(int128 value, int from_scale, int to_scale, int precision, int128& out);

/// Results at (precision, scale), rounded half up once; false on overflow.
bool decimal_add(int128 a, int scale_a, int128 b, int scale_b, int precision, int scale, int128& out);
bool decimal_subtract(int128 a, int scale_a, int128 b, int scale_b, int precision, int scale, int128& out);
bool decimal_multiply(int128 a, int scale_a, int128 b, int scale_b, int precision, int scale, int128& out);
/// REQUIRES: b != 0.
bool decimal_divide(int128 a, int scale_a, int128 b, int scale_b, int precision, int scale, int128& out);
/// Remainder with the sign of `a`. REQUIRES: b != 0.
bool decimal_modulo(int128 a, int scale_a, int128 b, int scale_b, int precision, int scale, int128& out);

/// -1, 0, 1: numeric order of values with different scales.
int decimal_compare(int128 a, int scale_a, int128 b, int scale_b);

enum class DecimalParse : uint8_t { kOk, kMalformed, kOverflow };
/// "12.34", "-1e3", ".5"; no blanks. Digits are exact, never through double; rounded half up to the scale.
DecimalParse decimal_parse(std::string_view text, int precision, int scale, int128& out);

void decimal_append(std::string& out, int128 value, int scale);
std::string decimal_to_string(int128 value, int scale);

/// Nearest double.
double decimal_to_double(int128 value, int scale);
/// From the shortest decimal digits of `value`; false for NaN, infinities and overflow.
bool decimal_from_double(double value, int precision, int scale, int128& out);

}  // namespace millrace
