#include "data/number_text.h"

#include <charconv>
#include <cmath>
#include <cstdlib>

namespace millrace {

namespace {

/// Digits without the point, and the exponent of the first digit: 12.5 is "125", 1.
struct ShortestDigits {
  char digits[32];
  int count = 0;
  int exponent = 0;
};

template <class T>
ShortestDigits shortest_digits(T value) {
  char buffer[64];
  auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific);
  (void)error;
  ShortestDigits result;
  const char* cursor = buffer;
  for (; cursor < end && *cursor != 'e'; ++cursor) {
    if (*cursor != '.') result.digits[result.count++] = *cursor;
  }
  ++cursor;
  if (*cursor == '+') ++cursor;
  std::from_chars(cursor, end, result.exponent);
  return result;
}

template <class T>
void append_java(std::string& out, T value) {
  if (std::isnan(value)) {
    out += "NaN";
    return;
  }
  if (std::signbit(value)) {
    out += '-';
    value = -value;
  }
  if (std::isinf(value)) {
    out += "Infinity";
    return;
  }
  if (value == 0) {
    out += "0.0";
    return;
  }
  ShortestDigits number = shortest_digits(value);
  const char* digits = number.digits;
  auto count = static_cast<size_t>(number.count);
  if (value >= T(1e-3) && value < T(1e7)) {
    if (number.exponent < 0) {
      out += "0.";
      out.append(static_cast<size_t>(-number.exponent - 1), '0');
      out.append(digits, count);
      return;
    }
    auto whole = static_cast<size_t>(number.exponent) + 1;
    if (count <= whole) {
      out.append(digits, count);
      out.append(whole - count, '0');
      out += ".0";
    } else {
      out.append(digits, whole);
      out += '.';
      out.append(digits + whole, count - whole);
    }
    return;
  }
  out += digits[0];
  out += '.';
  if (count == 1) {
    out += '0';
  } else {
    out.append(digits + 1, count - 1);
  }
  out += 'E';
  out += std::to_string(number.exponent);
}

template <class T>
void append_json(std::string& out, T value) {
  if (!std::isfinite(value)) {
    out += '"';
    append_java(out, value);
    out += '"';
    return;
  }
  // Like Python's repr: plain from 1e-4 to 1e16, else scientific.
  char buffer[64];
  T size = std::fabs(value);
  bool plain = size == 0 || (size >= T(1e-4) && size < T(1e16));
  auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, value,
                                    plain ? std::chars_format::fixed : std::chars_format::scientific);
  (void)error;
  std::string_view text(buffer, static_cast<size_t>(end - buffer));
  out += text;
  if (plain && text.find('.') == std::string_view::npos) out += ".0";
}

}  // namespace

void append_java_double(std::string& out, double value) { append_java(out, value); }
void append_java_float(std::string& out, float value) { append_java(out, value); }
void append_json_double(std::string& out, double value) { append_json(out, value); }
void append_json_float(std::string& out, float value) { append_json(out, value); }

std::optional<double> parse_double(std::string_view text) {
  bool negative = false;
  std::string_view body = text;
  if (!body.empty() && (body[0] == '+' || body[0] == '-')) {
    negative = body[0] == '-';
    body.remove_prefix(1);
  }
  if (body == "NaN") return std::nan("");
  if (body == "Infinity") return negative ? -HUGE_VAL : HUGE_VAL;
  if (body.size() > 1 && (body.back() == 'd' || body.back() == 'D' || body.back() == 'f' || body.back() == 'F')) {
    body.remove_suffix(1);
  }
  // from_chars would take "inf", "nan" and a second sign.
  if (body.empty() || (body[0] != '.' && (body[0] < '0' || body[0] > '9'))) return std::nullopt;
  double value = 0;
  auto [end, error] = std::from_chars(body.data(), body.data() + body.size(), value);
  if (end != body.data() + body.size()) return std::nullopt;
  if (error == std::errc::result_out_of_range)
    value = std::strtod(std::string(body).c_str(), nullptr);  // 0 or infinity
  else if (error != std::errc{})
    return std::nullopt;
  return negative ? -value : value;
}

std::optional<int64_t> parse_int64(std::string_view text) {
  if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.remove_prefix(1);
  int64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string_view trim_blanks(std::string_view text) {
  while (!text.empty() && static_cast<unsigned char>(text.front()) <= ' ') text.remove_prefix(1);
  while (!text.empty() && static_cast<unsigned char>(text.back()) <= ' ') text.remove_suffix(1);
  return text;
}

}  // namespace millrace
