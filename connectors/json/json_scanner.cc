#include "connectors/json/json_scanner.h"

#include <algorithm>

namespace millrace {
namespace {

bool is_json_digit(char c) { return c >= '0' && c <= '9'; }

int json_hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// Four hex digits at `p`; -1 when they are not.
int json_hex4(const char* p) {
  int value = 0;
  for (int i = 0; i < 4; ++i) {
    const int digit = json_hex_value(p[i]);
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

void append_utf8(std::string& out, uint32_t code) {
  if (code < 0x80) {
    out.push_back(static_cast<char>(code));
  } else if (code < 0x800) {
    out.push_back(static_cast<char>(0xc0 | code >> 6));
    out.push_back(static_cast<char>(0x80 | (code & 0x3f)));
  } else if (code < 0x10000) {
    out.push_back(static_cast<char>(0xe0 | code >> 12));
    out.push_back(static_cast<char>(0x80 | ((code >> 6) & 0x3f)));
    out.push_back(static_cast<char>(0x80 | (code & 0x3f)));
  } else {
    out.push_back(static_cast<char>(0xf0 | code >> 18));
    out.push_back(static_cast<char>(0x80 | ((code >> 12) & 0x3f)));
    out.push_back(static_cast<char>(0x80 | ((code >> 6) & 0x3f)));
    out.push_back(static_cast<char>(0x80 | (code & 0x3f)));
  }
}

bool skip_digits(JsonCursor& cursor) {
  const char* start = cursor.at;
  while (cursor.at < cursor.end && is_json_digit(*cursor.at)) ++cursor.at;
  return cursor.at > start;
}

bool skip_array(JsonCursor& cursor, int depth) {
  ++cursor.at;
  cursor.skip_blanks();
  if (cursor.peek() == ']') {
    ++cursor.at;
    return true;
  }
  for (;;) {
    if (!skip_value(cursor, depth)) return false;
    cursor.skip_blanks();
    const char c = cursor.peek();
    if (c != ',' && c != ']') return cursor.fail("expected , or ] in an array");
    ++cursor.at;
    if (c == ']') return true;
    cursor.skip_blanks();
  }
}

bool skip_object(JsonCursor& cursor, int depth) {
  ++cursor.at;
  cursor.skip_blanks();
  if (cursor.peek() == '}') {
    ++cursor.at;
    return true;
  }
  JsonString key;
  for (;;) {
    if (cursor.peek() != '"') return cursor.fail("expected a field name");
    ++cursor.at;
    if (!scan_string(cursor, key)) return false;
    cursor.skip_blanks();
    if (cursor.peek() != ':') return cursor.fail("expected : behind a field name");
    ++cursor.at;
    cursor.skip_blanks();
    if (!skip_value(cursor, depth)) return false;
    cursor.skip_blanks();
    const char c = cursor.peek();
    if (c != ',' && c != '}') return cursor.fail("expected , or } in an object");
    ++cursor.at;
    if (c == '}') return true;
    cursor.skip_blanks();
  }
}

}  // namespace

bool scan_escape(JsonCursor& cursor) {
  const char* p = cursor.at + 1;
  if (p >= cursor.end) return cursor.fail("a string is not closed");
  switch (*p) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
      cursor.at = p + 1;
      return true;
    case 'u':
      if (p + 4 >= cursor.end || json_hex4(p + 1) < 0) return cursor.fail("invalid \\u escape");
      cursor.at = p + 5;
      return true;
    default:
      return cursor.fail("invalid escape in a string");
  }
}

bool scan_number(JsonCursor& cursor, std::string_view& text) {
  const char* start = cursor.at;
  if (cursor.peek() == '-') ++cursor.at;
  if (cursor.peek() == '0') {
    ++cursor.at;
    if (is_json_digit(cursor.peek())) return cursor.fail("a number starts with a superfluous 0");
  } else if (!skip_digits(cursor)) {
    return cursor.fail("expected a digit");
  }
  if (cursor.peek() == '.') {
    ++cursor.at;
    if (!skip_digits(cursor)) return cursor.fail("expected a digit behind the point");
  }
  if (cursor.peek() == 'e' || cursor.peek() == 'E') {
    ++cursor.at;
    if (cursor.peek() == '+' || cursor.peek() == '-') ++cursor.at;
    if (!skip_digits(cursor)) return cursor.fail("expected a digit in the exponent");
  }
  text = std::string_view(start, static_cast<size_t>(cursor.at - start));
  return true;
}

bool scan_word(JsonCursor& cursor, std::string_view word) {
  if (static_cast<size_t>(cursor.end - cursor.at) < word.size() || std::string_view(cursor.at, word.size()) != word)
    return cursor.fail("expected a value");
  cursor.at += word.size();
  return true;
}

bool skip_value(JsonCursor& cursor, int depth) {
  switch (cursor.peek()) {
    case '"': {
      ++cursor.at;
      JsonString text;
      return scan_string(cursor, text);
    }
    case '{':
      return depth < kJsonDepthMax ? skip_object(cursor, depth + 1) : cursor.fail("nested too deeply");
    case '[':
      return depth < kJsonDepthMax ? skip_array(cursor, depth + 1) : cursor.fail("nested too deeply");
    case 't':
      return scan_word(cursor, "true");
    case 'f':
      return scan_word(cursor, "false");
    case 'n':
      return scan_word(cursor, "null");
    default:
      break;
  }
  const char c = cursor.peek();
  if (c != '-' && !is_json_digit(c)) return cursor.fail("expected a value");
  std::string_view text;
  return scan_number(cursor, text);
}

bool unescape_json(std::string_view raw, std::string& out) {
  out.clear();
  out.reserve(raw.size());
  for (size_t i = 0; i < raw.size();) {
    const size_t next = std::min(raw.find('\\', i), raw.size());
    out.append(raw.substr(i, next - i));
    i = next;
    if (i >= raw.size()) break;
    const char c = raw[i + 1];
    i += 2;
    switch (c) {
      case 'b':
        out.push_back('\b');
        break;
      case 'f':
        out.push_back('\f');
        break;
      case 'n':
        out.push_back('\n');
        break;
      case 'r':
        out.push_back('\r');
        break;
      case 't':
        out.push_back('\t');
        break;
      case 'u': {
        auto code = static_cast<uint32_t>(json_hex4(raw.data() + i));
        i += 4;
        if (code >= 0xdc00 && code < 0xe000) return false;
        if (code >= 0xd800 && code < 0xdc00) {
          if (i + 6 > raw.size() || raw[i] != '\\' || raw[i + 1] != 'u') return false;
          const auto low = static_cast<uint32_t>(json_hex4(raw.data() + i + 2));
          if (low < 0xdc00 || low >= 0xe000) return false;
          code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
          i += 6;
        }
        append_utf8(out, code);
        break;
      }
      default:
        out.push_back(c);
    }
  }
  return true;
}

}  // namespace millrace
