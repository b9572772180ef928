// One forward pass over JSON text (RFC 8259), validating everything it steps over: the base of the decoder's hot path.
// Why not a parser library: a library that skips lazily accepts malformed text in fields that no column reads, and one
// that builds a tree costs several times as much. Strings are scanned 16 bytes at a time; UTF-8 is checked for strings
// with non-ASCII bytes only (outside of strings such bytes are no JSON).
// REQUIRES: at least 64 readable bytes behind `end`.
#pragma once

#include <emmintrin.h>

#include <bit>
#include <cstdint>
#include <string>
#include <string_view>

#include "connectors/text/utf8.h"

namespace millrace {

struct JsonCursor {
  const char* at = nullptr;
  const char* end = nullptr;
  const char* problem = nullptr;  // set by the first failure; `at` stands near it

  bool fail(const char* what) {
    if (problem == nullptr) problem = what;
    return false;
  }
  /// The next byte; 0 at the end (a NUL byte in the text is malformed anyway).
  [[nodiscard]] char peek() const { return at < end ? *at : '\0'; }
  void skip_blanks() {
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')) ++at;
  }
};

struct JsonString {
  std::string_view raw;  // between the quotes
  bool escaped = false;  // has backslashes
};

/// A backslash stands at `cursor.at`: steps over the escape.
bool scan_escape(JsonCursor& cursor);

/// REQUIRES: the opening quote was consumed. Steps behind the closing one.
inline bool scan_string(JsonCursor& cursor, JsonString& out) {
  const char* const start = cursor.at;
  const char* p = start;
  bool high = false;
  out.escaped = false;
  const __m128i quote = _mm_set1_epi8('"');
  const __m128i backslash = _mm_set1_epi8('\\');
  const __m128i control_max = _mm_set1_epi8(0x1f);
  for (;;) {
    const __m128i chunk = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    const __m128i special = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(chunk, quote), _mm_cmpeq_epi8(chunk, backslash)),
                                         _mm_cmpeq_epi8(_mm_min_epu8(chunk, control_max), chunk));
    const auto stops = static_cast<uint32_t>(_mm_movemask_epi8(special));
    const auto highs = static_cast<uint32_t>(_mm_movemask_epi8(chunk));
    if (stops == 0) {
      high |= highs != 0;
      p += 16;
      if (p >= cursor.end) break;
      continue;
    }
    const auto index = static_cast<uint32_t>(std::countr_zero(stops));
    high |= (highs & ((1U << index) - 1)) != 0;
    p += index;
    if (p >= cursor.end) break;
    if (*p == '"') {
      out.raw = std::string_view(start, static_cast<size_t>(p - start));
      cursor.at = p + 1;
      if (high && !is_valid_utf8(out.raw)) [[unlikely]] {
        cursor.at = start;
        return cursor.fail("invalid UTF-8 in a string");
      }
      return true;
    }
    cursor.at = p;
    if (*p != '\\') return cursor.fail("control character in a string");
    if (!scan_escape(cursor)) return false;
    out.escaped = true;
    p = cursor.at;
  }
  cursor.at = start;
  return cursor.fail("a string is not closed");
}

/// Steps over a number and checks its form; `text` is its literal. REQUIRES: '-' or a digit stands at the cursor.
bool scan_number(JsonCursor& cursor, std::string_view& text);

/// Steps over `true`, `false` or `null`, whose first letter stands at the cursor.
bool scan_word(JsonCursor& cursor, std::string_view word);

/// Steps over any value (no blanks before it).
bool skip_value(JsonCursor& cursor, int depth = 0);

/// Undoes the escapes of a scanned string. False: a surrogate stands alone.
bool unescape_json(std::string_view raw, std::string& out);

/// Containers inside each other; deeper text is refused.
inline constexpr int kJsonDepthMax = 512;

}  // namespace millrace
