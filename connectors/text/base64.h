// Base64 (RFC 4648, standard alphabet, padding optional on input) for BYTES in text formats. Pure functions.
#pragma once

#include <string>
#include <string_view>

namespace millrace {

void append_base64(std::string& out, std::string_view bytes);
/// False when a character or the length does not fit; `out` is appended to.
bool decode_base64(std::string_view text, std::string& out);

}  // namespace millrace
