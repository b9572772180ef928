// Characters of UTF-8 texts: positions count code points, as SQL does. Malformed bytes count as one character each.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace millrace {

size_t utf8_length(std::string_view text);
/// Byte offset of the character at `index` (0-based); text.size() when it is beyond the end.
size_t utf8_offset(std::string_view text, size_t index);
/// Bytes of the character that starts at `at`.
size_t utf8_width(std::string_view text, size_t at);
/// Characters [first, first + count).
std::string_view utf8_slice(std::string_view text, size_t first, size_t count);
char32_t utf8_decode(std::string_view text, size_t at);
void utf8_append(std::string& out, char32_t code);
std::vector<std::string_view> utf8_characters(std::string_view text);

bool utf8_is_letter(char32_t code);
bool utf8_is_digit(char32_t code);
bool utf8_all(std::string_view text, bool (*test)(char32_t));

std::string utf8_upper(std::string_view text);
std::string utf8_lower(std::string_view text);

}  // namespace millrace
