// Character codes, BASE64, hexadecimal, URLs and PRINTF.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "data/number_text.h"
#include "functions/signature.h"
#include "functions/strings/strings.h"
#include "functions/strings/utf8.h"
#include "runtime/spi/kernel.h"

namespace millrace {

namespace {

void ascii_kernel(const KernelArgs& call) {
  TextReader a(call, 0);
  int32_t* out = call.out.values<int32_t>();
  // The first byte with its sign, as Flink gives it.
  for (uint32_t row : call.rows) out[row] = a.text(row).empty() ? 0 : static_cast<signed char>(a.text(row)[0]);
}

/// Java: chr(n & 0xFF) as Latin-1; 0 gives the character 0, negative nothing.
void chr_kernel(const KernelArgs& call) {
  IntegerReader a(call, 0);
  for (uint32_t row : call.rows) {
    std::string text;
    if (a[row] >= 0) utf8_append(text, static_cast<char32_t>(a[row] & 0xFF));
    put_text(call, row, text);
  }
}

constexpr std::string_view kBase64Digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::string base64_encode(std::string_view bytes) {
  std::string out;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t group = static_cast<unsigned char>(bytes[i]) << 16U;
    if (i + 1 < bytes.size()) group |= static_cast<unsigned char>(bytes[i + 1]) << 8U;
    if (i + 2 < bytes.size()) group |= static_cast<unsigned char>(bytes[i + 2]);
    out += kBase64Digits[group >> 18];
    out += kBase64Digits[(group >> 12) & 63];
    out += i + 1 < bytes.size() ? kBase64Digits[(group >> 6) & 63] : '=';
    out += i + 2 < bytes.size() ? kBase64Digits[group & 63] : '=';
  }
  return out;
}

/// Java's Base64.getDecoder: padding may be absent, nothing else may be wrong.
bool base64_decode(std::string_view text, std::string& out) {
  bool padded = text.ends_with('=');
  if (padded && text.size() % 4 != 0) return false;
  while (text.ends_with('=')) text.remove_suffix(1);
  if (text.size() % 4 == 1) return false;
  uint32_t group = 0;
  int bits = 0;
  for (char c : text) {
    size_t digit = kBase64Digits.find(c);
    if (digit == std::string_view::npos) return false;
    group = (group << 6) | static_cast<uint32_t>(digit);
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      out += static_cast<char>((group >> bits) & 0xFF);
    }
  }
  return true;
}

void to_base64_kernel(const KernelArgs& call) {
  TextReader a(call, 0);
  for (uint32_t row : call.rows) put_text(call, row, base64_encode(a.text(row)));
}

void from_base64_kernel(const KernelArgs& call) {
  TextReader a(call, 0);
  for (uint32_t row : call.rows) {
    std::string bytes;
    if (base64_decode(a.text(row), bytes)) {
      put_text(call, row, bytes);
    } else {
      call.fail(row, fmt::format("'{}' is not BASE64", utf8_slice(a.text(row), 0, 60)));
    }
  }
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

void unhex_kernel(const KernelArgs& call) {
  TextReader a(call, 0);
  for (uint32_t row : call.rows) {
    std::string digits(a.text(row));
    if (digits.size() % 2 != 0) digits.insert(0, 1, '0');
    std::string bytes;
    bool ok = true;
    for (size_t i = 0; i < digits.size() && ok; i += 2) {
      int high = hex_digit(digits[i]);
      int low = hex_digit(digits[i + 1]);
      ok = high >= 0 && low >= 0;
      bytes += static_cast<char>(high * 16 + low);
    }
    if (ok) {
      put_text(call, row, bytes);
    } else {
      call.out.set_null(row);
    }
  }
}

std::string url_encode(std::string_view text) {
  std::string out;
  for (char c : text) {
    bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
                 c == '.' || c == '*';
    if (plain) {
      out += c;
    } else if (c == ' ') {
      out += '+';
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

void url_encode_kernel(const KernelArgs& call) {
  TextReader a(call, 0);
  for (uint32_t row : call.rows) put_text(call, row, url_encode(a.text(row)));
}

void url_decode_kernel(const KernelArgs& call) {
  TextReader a(call, 0);
  for (uint32_t row : call.rows) {
    std::string_view text = a.text(row);
    std::string out;
    bool ok = true;
    for (size_t i = 0; i < text.size() && ok; ++i) {
      if (text[i] == '+') {
        out += ' ';
      } else if (text[i] == '%') {
        int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
        int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
        ok = high >= 0 && low >= 0;
        out += static_cast<char>(high * 16 + low);
        i += 2;
      } else {
        out += text[i];
      }
    }
    if (ok) {
      put_text(call, row, out);
    } else {
      call.out.set_null(row);
    }
  }
}

enum class Charset : uint8_t { kUtf8, kAscii, kLatin1, kUnknown };
Charset charset_of(std::string_view name) {
  std::string upper = utf8_upper(name);
  if (upper == "UTF-8") return Charset::kUtf8;
  if (upper == "US-ASCII") return Charset::kAscii;
  if (upper == "ISO-8859-1") return Charset::kLatin1;
  return Charset::kUnknown;
}

/// ENCODE: characters that the character set does not have become `?`, as in Java.
void encode_kernel(const KernelArgs& call) {
  TextReader a(call, 0);
  TextReader charset(call, 1);
  for (uint32_t row : call.rows) {
    std::string_view text = a.text(row);
    Charset target = charset_of(charset.text(row));
    if (target == Charset::kUtf8) {
      put_slice(call, row, text);
      continue;
    }
    std::string out;
    for (size_t at = 0; at < text.size(); at += utf8_width(text, at)) {
      char32_t code = utf8_decode(text, at);
      out += code < (target == Charset::kLatin1 ? 0x100U : 0x80U) ? static_cast<char>(code) : '?';
    }
    put_text(call, row, out);
  }
}

void decode_kernel(const KernelArgs& call) {
  TextReader a(call, 0);
  TextReader charset(call, 1);
  for (uint32_t row : call.rows) {
    std::string_view bytes = a.text(row);
    Charset source = charset_of(charset.text(row));
    if (source == Charset::kUtf8) {
      put_slice(call, row, bytes);
      continue;
    }
    std::string out;
    for (char c : bytes) {
      char32_t code = static_cast<unsigned char>(c);
      utf8_append(out, source == Charset::kAscii && code >= 0x80 ? U'\xFFFD' : code);
    }
    put_text(call, row, out);
  }
}

ResolveFunction resolve_charset(std::string name, bool encode) {
  return [=](ArgTypes types, ArgLiterals literals) -> Result<ResolvedCall> {
    bool fits = types.size() == 2 && (encode ? types[0]->is_text() : types[0]->kind == TypeKind::kBytes);
    if (!fits) return argument_error(name, types, name + (encode ? "(STRING, charset)" : "(BYTES, charset)"));
    const std::string* charset = literal_text(literals, 1);
    if (charset == nullptr || charset_of(*charset) == Charset::kUnknown) {
      return make_error(ErrorCode::kNotSupportedYet, name + " knows UTF-8, US-ASCII and ISO-8859-1, as a literal");
    }
    TypePtr result = encode ? make_type(TypeKind::kBytes) : make_string(true);
    return ResolvedCall{result, {types.begin(), types.end()}, nullptr};
  };
}

struct UrlParts {
  std::string_view protocol, authority, user_info, host, path, query, ref;
  bool has_query = false, has_ref = false, has_user = false, valid = false;
};

UrlParts parse_url(std::string_view url) {
  UrlParts parts;
  size_t colon = url.find("://");
  if (colon == std::string_view::npos || colon == 0) return parts;
  parts.protocol = url.substr(0, colon);
  static constexpr std::string_view kProtocols[] = {"http", "https", "ftp", "file", "jar", "mailto"};
  parts.valid = std::ranges::find(kProtocols, parts.protocol) != std::end(kProtocols);
  std::string_view rest = url.substr(colon + 3);
  if (size_t hash = rest.find('#'); hash != std::string_view::npos) {
    parts.ref = rest.substr(hash + 1);
    parts.has_ref = true;
    rest = rest.substr(0, hash);
  }
  if (size_t mark = rest.find('?'); mark != std::string_view::npos) {
    parts.query = rest.substr(mark + 1);
    parts.has_query = true;
    rest = rest.substr(0, mark);
  }
  size_t slash = std::min(rest.find('/'), rest.size());
  parts.authority = rest.substr(0, slash);
  parts.path = rest.substr(slash);
  parts.host = parts.authority;
  if (size_t at = parts.host.rfind('@'); at != std::string_view::npos) {
    parts.user_info = parts.host.substr(0, at);
    parts.has_user = true;
    parts.host = parts.host.substr(at + 1);
  }
  if (size_t port = parts.host.rfind(':');
      port != std::string_view::npos && parts.host.find(']', port) == std::string_view::npos) {
    parts.host = parts.host.substr(0, port);
  }
  return parts;
}

/// False when the part is absent (NULL).
bool url_part(std::string_view url, std::string_view part, const std::string_view* key, std::string& out) {
  UrlParts parts = parse_url(url);
  if (!parts.valid) return false;
  if (part == "QUERY" && key != nullptr) {
    std::string_view rest = parts.query;
    while (!rest.empty()) {
      size_t end = std::min(rest.find('&'), rest.size());
      std::string_view pair = rest.substr(0, end);
      if (pair.size() > key->size() && pair.starts_with(*key) && pair[key->size()] == '=') {
        out = pair.substr(key->size() + 1);
        return true;
      }
      rest = end == rest.size() ? std::string_view() : rest.substr(end + 1);
    }
    return false;
  }
  if (key != nullptr) return false;
  bool present = true;
  if (part == "HOST")
    out = parts.host;
  else if (part == "PATH")
    out = parts.path;
  else if (part == "QUERY")
    out = parts.query, present = parts.has_query;
  else if (part == "REF")
    out = parts.ref, present = parts.has_ref;
  else if (part == "PROTOCOL")
    out = parts.protocol;
  else if (part == "AUTHORITY")
    out = parts.authority;
  else if (part == "USERINFO")
    out = parts.user_info, present = parts.has_user;
  else if (part == "FILE")
    out = fmt::format("{}{}{}", parts.path, parts.has_query ? "?" : "", parts.query);
  else
    return false;
  return present;
}

void parse_url_kernel(const KernelArgs& call) {
  TextReader url(call, 0);
  TextReader part(call, 1);
  std::string out;
  for (uint32_t row : call.rows) {
    std::string_view key = call.args.size() > 2 ? TextReader(call, 2).text(row) : std::string_view();
    if (url_part(url.text(row), part.text(row), call.args.size() > 2 ? &key : nullptr, out)) {
      put_text(call, row, out);
    } else {
      call.out.set_null(row);
    }
  }
}

/// %d %s %% and widths of integers and texts; other conversions are refused.
bool printf_row(const KernelArgs& call, uint32_t row, std::string_view format, std::string& out, std::string& error) {
  size_t next = 1;
  for (size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%') {
      out += format[i];
      continue;
    }
    size_t start = ++i;
    while (i < format.size() && (format[i] == '-' || (format[i] >= '0' && format[i] <= '9'))) ++i;
    if (i >= format.size()) return error = "the format ends inside a conversion", false;
    if (format[i] == '%') {
      out += '%';
      continue;
    }
    if (format[i] == 'n') {
      out += '\n';
      continue;
    }
    if ((format[i] != 'd' && format[i] != 's') || next >= call.args.size()) {
      return error = fmt::format("PRINTF cannot do `%{}` here", format.substr(start, i - start + 1)), false;
    }
    std::string value = "null";
    const size_t index = next++;
    const Column& column = *call.args[index];
    uint32_t at = call.constant[index] != 0 ? 0 : row;
    if (!column.is_null(at)) {
      if (call.types[index]->is_integer()) {
        value = std::to_string(IntegerReader(column, false)[at]);
      } else if (call.types[index]->is_text() && format[i] == 's') {
        value = column.values<StringRef>()[at].view();
      } else {
        return error = "PRINTF takes integers for %d, integers and texts for %s", false;
      }
    }
    std::string_view flags = format.substr(start, i - start);
    bool left = flags.starts_with('-');
    bool zero = flags.starts_with('0');
    auto width = static_cast<size_t>(parse_int64(left ? flags.substr(1) : flags).value_or(0));
    size_t missing = width > value.size() && width < 10'000 ? width - value.size() : 0;
    if (left)
      value.append(missing, ' ');
    else
      value.insert(zero && value.starts_with('-') ? 1 : 0, missing, zero ? '0' : ' ');
    out += value;
  }
  return true;
}

void printf_kernel(const KernelArgs& call) {
  TextReader format(call, 0);
  for (uint32_t row : call.rows) {
    std::string out;
    std::string error;
    if (format.is_null(row)) {
      call.out.set_null(row);
    } else if (printf_row(call, row, format.text(row), out, error)) {
      put_text(call, row, out);
    } else {
      call.fail(row, error);
    }
  }
}

Result<ResolvedCall> resolve_printf(ArgTypes types, ArgLiterals) {
  if (types.empty() || !types[0]->is_text()) return argument_error("PRINTF", types, "PRINTF(format, …)");
  for (const TypePtr& type : types) {
    if (!type->is_text() && !type->is_integer()) {
      return make_error(ErrorCode::kNotSupportedYet,
                        fmt::format("PRINTF of {} is not supported by this build", type->to_string()),
                        "use CAST AS STRING");
    }
  }
  return ResolvedCall{make_string(true), {types.begin(), types.end()}, nullptr};
}

}  // namespace

void register_string_codes(FunctionRegistry& registry) {
  TypePtr text = make_string(false);
  add_plain(registry, {.name = "ASCII",
                       .args = {ArgClass::kText},
                       .result = make_type(TypeKind::kInt, false),
                       .kernel = ascii_kernel,
                       .help = "the first byte"});
  add_plain(registry, {.name = "CHR",
                       .args = {ArgClass::kInteger},
                       .result = text,
                       .kernel = chr_kernel,
                       .help = "the character with a code"});
  add_plain(registry, {.name = "TO_BASE64",
                       .args = {ArgClass::kTextOrBytes},
                       .result = text,
                       .kernel = to_base64_kernel,
                       .help = "BASE64 of the bytes"});
  add_plain(registry, {.name = "FROM_BASE64",
                       .args = {ArgClass::kText},
                       .result = text,
                       .kernel = from_base64_kernel,
                       .help = "the text in BASE64"});
  add_plain(registry, {.name = "UNHEX",
                       .args = {ArgClass::kText},
                       .result = make_type(TypeKind::kBytes, false),
                       .kernel = unhex_kernel,
                       .help = "bytes of hexadecimal digits",
                       .nullable_result = true});
  add_plain(registry, {.name = "URL_ENCODE",
                       .args = {ArgClass::kText},
                       .result = text,
                       .kernel = url_encode_kernel,
                       .help = "for use in a URL",
                       .nullable_result = true});
  add_plain(registry, {.name = "URL_DECODE",
                       .args = {ArgClass::kText},
                       .result = text,
                       .kernel = url_decode_kernel,
                       .help = "out of a URL",
                       .nullable_result = true});
  add_plain(registry, {.name = "PARSE_URL",
                       .args = {ArgClass::kText, ArgClass::kText, ArgClass::kText},
                       .optional = 1,
                       .result = text,
                       .kernel = parse_url_kernel,
                       .help = "PARSE_URL(url, part[, key])",
                       .nullable_result = true});
  add_function(registry, "ENCODE", resolve_charset("ENCODE", true), encode_kernel, "ENCODE(text, charset)");
  add_function(registry, "DECODE", resolve_charset("DECODE", false), decode_kernel, "DECODE(bytes, charset)");
  add_function(registry, "PRINTF", resolve_printf, printf_kernel, "PRINTF(format, …)", {false, true});
}

}  // namespace millrace
