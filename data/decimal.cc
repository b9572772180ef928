#include "data/decimal.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>

namespace millrace {

namespace {

using uint128 = unsigned __int128;

constexpr std::array<int128, 39> make_powers() {
  std::array<int128, 39> powers{};
  int128 power = 1;
  for (size_t i = 0; i < powers.size(); ++i) {
    powers[i] = power;
    if (i + 1 < powers.size()) power *= 10;
  }
  return powers;
}
constexpr std::array<int128, 39> kPowers10 = make_powers();

uint128 magnitude(int128 value) {
  return value < 0 ? uint128{0} - static_cast<uint128>(value) : static_cast<uint128>(value);
}

/// Unsigned integer of 384 bits: room for a 38-digit number times 10^76. Only the slow paths use it.
struct Wide {
  static constexpr int kLimbs = 12;
  uint32_t limb[kLimbs] = {};

  static Wide of(uint128 value) {
    Wide wide;
    for (int i = 0; i < 4; ++i) wide.limb[i] = static_cast<uint32_t>(value >> (32 * i));
    return wide;
  }
  [[nodiscard]] Wide times(uint128 factor) const {
    Wide product;
    uint32_t parts[4];
    for (int i = 0; i < 4; ++i) parts[i] = static_cast<uint32_t>(factor >> (32 * i));
    for (int j = 0; j < 4; ++j) {
      uint64_t carry = 0;
      for (int i = 0; i + j < kLimbs; ++i) {
        uint64_t sum = static_cast<uint64_t>(limb[i]) * parts[j] + product.limb[i + j] + carry;
        product.limb[i + j] = static_cast<uint32_t>(sum);
        carry = sum >> 32;
      }
    }
    return product;
  }
  [[nodiscard]] Wide times_power10(int n) const {
    Wide result = *this;
    for (; n > 38; n -= 38) result = result.times(static_cast<uint128>(kPowers10[38]));
    return result.times(static_cast<uint128>(kPowers10[static_cast<size_t>(n)]));
  }
  void add(const Wide& other) {
    uint64_t carry = 0;
    for (int i = 0; i < kLimbs; ++i) {
      uint64_t sum = static_cast<uint64_t>(limb[i]) + other.limb[i] + carry;
      limb[i] = static_cast<uint32_t>(sum);
      carry = sum >> 32;
    }
  }
  /// REQUIRES: other <= *this.
  void subtract(const Wide& other) {
    int64_t borrow = 0;
    for (int i = 0; i < kLimbs; ++i) {
      int64_t difference = static_cast<int64_t>(limb[i]) - other.limb[i] - borrow;
      borrow = difference < 0 ? 1 : 0;
      limb[i] = static_cast<uint32_t>(difference);
    }
  }
  [[nodiscard]] int compare(const Wide& other) const {
    for (int i = kLimbs - 1; i >= 0; --i) {
      if (limb[i] != other.limb[i]) return limb[i] < other.limb[i] ? -1 : 1;
    }
    return 0;
  }
  void shift_left_one() {
    uint32_t carry = 0;
    for (uint32_t& part : limb) {
      uint32_t next = part >> 31;
      part = (part << 1) | carry;
      carry = next;
    }
  }
  /// Quotient; `rest` receives the remainder.
  [[nodiscard]] Wide divided_by(const Wide& divisor, Wide& rest) const {
    Wide quotient;
    rest = Wide{};
    for (int bit = kLimbs * 32 - 1; bit >= 0; --bit) {
      rest.shift_left_one();
      rest.limb[0] |= (limb[bit / 32] >> (bit % 32)) & 1U;
      if (rest.compare(divisor) >= 0) {
        rest.subtract(divisor);
        quotient.limb[bit / 32] |= 1U << (bit % 32);
      }
    }
    return quotient;
  }
  /// False when it does not fit 127 bits.
  [[nodiscard]] bool narrow(uint128& out) const {
    for (int i = 4; i < kLimbs; ++i) {
      if (limb[i] != 0) return false;
    }
    out = 0;
    for (int i = 3; i >= 0; --i) out = (out << 32) | limb[i];
    return (out >> 127) == 0;
  }
};

bool finish(uint128 value, bool negative, int precision, int128& out) {
  if (value >= static_cast<uint128>(kPowers10[static_cast<size_t>(precision)])) return false;
  out = negative ? -static_cast<int128>(value) : static_cast<int128>(value);
  return true;
}

/// wide / divisor rounded half up.
bool divide_rounded(const Wide& wide, const Wide& divisor, bool negative, int precision, int128& out) {
  Wide rest;
  Wide quotient = wide.divided_by(divisor, rest);
  rest.shift_left_one();
  if (rest.compare(divisor) >= 0) quotient.add(Wide::of(1));
  uint128 value = 0;
  return quotient.narrow(value) && finish(value, negative, precision, out);
}

/// A wide magnitude of scale `from` to scale `to`.
bool rescale_wide(const Wide& wide, bool negative, int from, int to, int precision, int128& out) {
  if (from > to) return divide_rounded(wide, Wide::of(1).times_power10(from - to), negative, precision, out);
  Wide scaled = wide.times_power10(to - from);
  uint128 value = 0;
  return scaled.narrow(value) && finish(value, negative, precision, out);
}

bool add_slow(int128 a, int scale_a, int128 b, int scale_b, int precision, int scale, int128& out) {
  int common = scale_a > scale_b ? scale_a : scale_b;
  Wide left = Wide::of(magnitude(a)).times_power10(common - scale_a);
  Wide right = Wide::of(magnitude(b)).times_power10(common - scale_b);
  bool negative = a < 0;
  if ((a < 0) == (b < 0)) {
    left.add(right);
  } else if (left.compare(right) >= 0) {
    left.subtract(right);
  } else {
    right.subtract(left);
    left = right;
    negative = b < 0;
  }
  return rescale_wide(left, negative, common, scale, precision, out);
}

}  // namespace

int128 decimal_power10(int n) { return kPowers10[static_cast<size_t>(n)]; }

bool decimal_fits(int128 value, int precision) {
  int128 limit = kPowers10[static_cast<size_t>(precision)];
  return value < limit && value > -limit;
}

bool decimal_rescale(int128 value, int from_scale, int to_scale, int precision, int128& out) {
  if (from_scale == to_scale) {
    out = value;
  } else if (from_scale < to_scale) {
    int shift = to_scale - from_scale;
    if (value == 0) {
      out = 0;
      return true;
    }
    if (shift > 38 || __builtin_mul_overflow(value, kPowers10[static_cast<size_t>(shift)], &out)) return false;
  } else {
    int shift = from_scale - to_scale;
    if (shift > 38) {
      out = 0;
      return true;
    }
    int128 divisor = kPowers10[static_cast<size_t>(shift)];
    int128 quotient = value / divisor;
    int128 rest = value - quotient * divisor;
    int128 half = divisor / 2;
    if (rest >= half) {
      ++quotient;
    } else if (-rest >= half) {
      --quotient;
    }
    out = quotient;
  }
  return decimal_fits(out, precision);
}

bool decimal_truncate(int128 value, int from_scale, int to_scale, int precision, int128& out) {
  if (from_scale <= to_scale) return decimal_rescale(value, from_scale, to_scale, precision, out);
  int shift = from_scale - to_scale;
  out = shift > 38 ? 0 : value / kPowers10[static_cast<size_t>(shift)];
  return decimal_fits(out, precision);
}

bool decimal_add(int128 a, int scale_a, int128 b, int scale_b, int precision, int scale, int128& out) {
  if (scale_a == scale_b && scale == scale_a) {
    return !__builtin_add_overflow(a, b, &out) && decimal_fits(out, precision);
  }
  int common = scale_a > scale_b ? scale_a : scale_b;
  int128 left = 0;
  int128 right = 0;
  int128 sum = 0;
  if (!__builtin_mul_overflow(a, kPowers10[static_cast<size_t>(common - scale_a)], &left) &&
      !__builtin_mul_overflow(b, kPowers10[static_cast<size_t>(common - scale_b)], &right) &&
      !__builtin_add_overflow(left, right, &sum)) {
    return decimal_rescale(sum, common, scale, precision, out);
  }
  return add_slow(a, scale_a, b, scale_b, precision, scale, out);
}

bool decimal_subtract(int128 a, int scale_a, int128 b, int scale_b, int precision, int scale, int128& out) {
  return decimal_add(a, scale_a, -b, scale_b, precision, scale, out);
}

bool decimal_multiply(int128 a, int scale_a, int128 b, int scale_b, int precision, int scale, int128& out) {
  int128 product = 0;
  auto low_a = static_cast<int64_t>(a);
  auto low_b = static_cast<int64_t>(b);
  if (low_a == a && low_b == b) {  // the usual case: one multiplication that cannot overflow
    product = static_cast<int128>(low_a) * low_b;
    return decimal_rescale(product, scale_a + scale_b, scale, precision, out);
  }
  if (!__builtin_mul_overflow(a, b, &product)) {
    return decimal_rescale(product, scale_a + scale_b, scale, precision, out);
  }
  Wide wide = Wide::of(magnitude(a)).times(magnitude(b));
  return rescale_wide(wide, (a < 0) != (b < 0), scale_a + scale_b, scale, precision, out);
}

bool decimal_divide(int128 a, int scale_a, int128 b, int scale_b, int precision, int scale, int128& out) {
  // a/10^sa / (b/10^sb) at scale s: a * 10^(s + sb - sa) / b.
  int shift = scale + scale_b - scale_a;
  bool negative = (a < 0) != (b < 0);
  int128 scaled = 0;
  if (shift >= 0 && shift <= 38 && !__builtin_mul_overflow(a, kPowers10[static_cast<size_t>(shift)], &scaled)) {
    uint128 dividend = magnitude(scaled);
    uint128 divisor = magnitude(b);
    uint128 quotient = dividend / divisor;
    if ((dividend % divisor) * 2 >= divisor) ++quotient;
    return finish(quotient, negative, precision, out);
  }
  Wide dividend = Wide::of(magnitude(a));
  Wide divisor = Wide::of(magnitude(b));
  if (shift >= 0) {
    dividend = dividend.times_power10(shift);
  } else {
    divisor = divisor.times_power10(-shift);
  }
  return divide_rounded(dividend, divisor, negative, precision, out);
}

bool decimal_modulo(int128 a, int scale_a, int128 b, int scale_b, int precision, int scale, int128& out) {
  int common = scale_a > scale_b ? scale_a : scale_b;
  Wide left = Wide::of(magnitude(a)).times_power10(common - scale_a);
  Wide right = Wide::of(magnitude(b)).times_power10(common - scale_b);
  Wide rest;
  (void)left.divided_by(right, rest);
  return rescale_wide(rest, a < 0, common, scale, precision, out);
}

int decimal_compare(int128 a, int scale_a, int128 b, int scale_b) {
  if (scale_a < scale_b) return -decimal_compare(b, scale_b, a, scale_a);
  int128 scaled = 0;
  if (__builtin_mul_overflow(b, kPowers10[static_cast<size_t>(scale_a - scale_b)], &scaled)) return b < 0 ? 1 : -1;
  return a < scaled ? -1 : (a > scaled ? 1 : 0);
}

DecimalParse decimal_parse(std::string_view text, int precision, int scale, int128& out) {
  size_t at = 0;
  bool negative = false;
  if (at < text.size() && (text[at] == '-' || text[at] == '+')) negative = text[at++] == '-';
  uint128 digits = 0;
  int64_t digits_scale = 0;  // digits that followed the point, among those kept
  int64_t dropped = 0;       // integer digits beyond the 38 kept
  bool any = false;
  bool point = false;
  bool round_known = false;
  bool round_up = false;
  for (; at < text.size(); ++at) {
    char c = text[at];
    if (c == '.') {
      if (point) return DecimalParse::kMalformed;
      point = true;
      continue;
    }
    if (c < '0' || c > '9') break;
    any = true;
    if (digits < static_cast<uint128>(kPowers10[37])) {
      digits = digits * 10 + static_cast<unsigned>(c - '0');
      if (point) ++digits_scale;
    } else {
      if (!round_known) round_up = c >= '5';
      round_known = true;
      if (!point) ++dropped;
    }
  }
  if (!any) return DecimalParse::kMalformed;
  int64_t exponent = 0;
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && text[at] == '+') ++at;
    auto [end, error] = std::from_chars(text.data() + at, text.data() + text.size(), exponent);
    if (error != std::errc{} || exponent > 100'000 || exponent < -100'000) return DecimalParse::kMalformed;
    at = static_cast<size_t>(end - text.data());
  }
  if (at != text.size()) return DecimalParse::kMalformed;
  // The value is digits * 10^-from.
  int64_t from = digits_scale - dropped - exponent;
  if (round_up && from <= scale) ++digits;
  if (digits == 0 || from - scale > 39) {
    out = 0;
    return DecimalParse::kOk;
  }
  if (scale - from > 38) return DecimalParse::kOverflow;
  // decimal_rescale looks only at the difference of the scales.
  int shift = static_cast<int>(scale - from);
  int128 value = negative ? -static_cast<int128>(digits) : static_cast<int128>(digits);
  bool fits =
      shift >= 0 ? decimal_rescale(value, 0, shift, precision, out) : decimal_rescale(value, -shift, 0, precision, out);
  return fits ? DecimalParse::kOk : DecimalParse::kOverflow;
}

void decimal_append(std::string& out, int128 value, int scale) {
  char buffer[48];
  char* end = buffer + sizeof buffer;
  char* cursor = end;
  uint128 rest = magnitude(value);
  int written = 0;
  while (rest != 0 || written <= scale) {
    if (written == scale && scale > 0) *--cursor = '.';
    *--cursor = static_cast<char>('0' + static_cast<int>(rest % 10));
    rest /= 10;
    ++written;
  }
  if (value < 0) *--cursor = '-';
  out.append(cursor, static_cast<size_t>(end - cursor));
}

std::string decimal_to_string(int128 value, int scale) {
  std::string text;
  decimal_append(text, value, scale);
  return text;
}

double decimal_to_double(int128 value, int scale) {
  static constexpr double kExact[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                      1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
  constexpr int128 kMantissa = int128{1} << 53;
  if (value <= kMantissa && value >= -kMantissa && scale <= 22) {
    return static_cast<double>(value) / kExact[scale];  // both exact, so one correctly rounded division
  }
  std::string text = decimal_to_string(value, scale);
  double result = 0;
  std::from_chars(text.data(), text.data() + text.size(), result);
  return result;
}

bool decimal_from_double(double value, int precision, int scale, int128& out) {
  if (!std::isfinite(value)) return false;
  char buffer[64];
  auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific);
  if (error != std::errc{}) return false;
  return decimal_parse({buffer, static_cast<size_t>(end - buffer)}, precision, scale, out) == DecimalParse::kOk;
}

}  // namespace millrace
