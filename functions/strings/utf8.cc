#include "functions/strings/utf8.h"

#include <clocale>
#include <cwctype>

namespace millrace {

namespace {

/// Case and class of characters beyond ASCII, independent of the user's environment.
locale_t unicode_locale() {
  static locale_t locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
  return locale;
}

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

}  // namespace

size_t utf8_width(std::string_view text, size_t at) {
  auto lead = static_cast<unsigned char>(text[at]);
  size_t width = lead < 0xC0 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  size_t have = 1;
  while (have < width && at + have < text.size() && is_continuation(text[at + have])) ++have;
  return have;
}

size_t utf8_length(std::string_view text) {
  size_t count = 0;
  for (char c : text) count += is_continuation(c) ? 0 : 1;
  return count;
}

size_t utf8_offset(std::string_view text, size_t index) {
  size_t at = 0;
  for (; index > 0 && at < text.size(); --index) at += utf8_width(text, at);
  return at;
}

std::string_view utf8_slice(std::string_view text, size_t first, size_t count) {
  text.remove_prefix(utf8_offset(text, first));
  return text.substr(0, utf8_offset(text, count));
}

char32_t utf8_decode(std::string_view text, size_t at) {
  size_t width = utf8_width(text, at);
  auto lead = static_cast<unsigned char>(text[at]);
  if (width == 1) return lead;
  char32_t code = lead & (0xFFU >> (width + 1));
  for (size_t i = 1; i < width; ++i) code = (code << 6) | (static_cast<unsigned char>(text[at + i]) & 0x3FU);
  return code;
}

void utf8_append(std::string& out, char32_t code) {
  if (code < 0x80) {
    out += static_cast<char>(code);
    return;
  }
  if (code < 0x800) {
    out += static_cast<char>(0xC0 | (code >> 6));
  } else {
    if (code < 0x10000) {
      out += static_cast<char>(0xE0 | (code >> 12));
    } else {
      out += static_cast<char>(0xF0 | (code >> 18));
      out += static_cast<char>(0x80 | ((code >> 12) & 0x3F));
    }
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
  }
  out += static_cast<char>(0x80 | (code & 0x3F));
}

std::vector<std::string_view> utf8_characters(std::string_view text) {
  std::vector<std::string_view> characters;
  for (size_t at = 0; at < text.size();) {
    size_t width = utf8_width(text, at);
    characters.push_back(text.substr(at, width));
    at += width;
  }
  return characters;
}

bool utf8_is_letter(char32_t code) {
  return iswalpha_l(static_cast<wint_t>(code), unicode_locale()) != 0 && !utf8_is_digit(code);
}
bool utf8_is_digit(char32_t code) { return code >= '0' && code <= '9'; }

bool utf8_all(std::string_view text, bool (*test)(char32_t)) {
  for (size_t at = 0; at < text.size(); at += utf8_width(text, at)) {
    if (!test(utf8_decode(text, at))) return false;
  }
  return true;
}

std::string utf8_upper(std::string_view text) {
  std::string upper;
  upper.reserve(text.size());
  for (size_t at = 0; at < text.size(); at += utf8_width(text, at)) {
    char32_t code = utf8_decode(text, at);
    if (code < 0x80) {
      upper += code >= 'a' && code <= 'z' ? static_cast<char>(code - 'a' + 'A') : static_cast<char>(code);
    } else if (code == 0xDF) {
      upper += "SS";  // the one common letter whose capital has two characters
    } else if (utf8_width(text, at) == 1) {
      upper += text[at];  // malformed: as it is
    } else {
      utf8_append(upper, static_cast<char32_t>(towupper_l(static_cast<wint_t>(code), unicode_locale())));
    }
  }
  return upper;
}

std::string utf8_lower(std::string_view text) {
  std::string lower;
  lower.reserve(text.size());
  for (size_t at = 0; at < text.size(); at += utf8_width(text, at)) {
    char32_t code = utf8_decode(text, at);
    if (code < 0x80) {
      lower += code >= 'A' && code <= 'Z' ? static_cast<char>(code - 'A' + 'a') : static_cast<char>(code);
    } else if (utf8_width(text, at) == 1) {
      lower += text[at];
    } else {
      utf8_append(lower, static_cast<char32_t>(towlower_l(static_cast<wint_t>(code), unicode_locale())));
    }
  }
  return lower;
}

}  // namespace millrace
