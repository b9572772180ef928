#include "core/s3/uri.h"

#include <algorithm>

namespace millrace {

namespace {

constexpr std::string_view kScheme = "s3://";
constexpr std::string_view kHex = "0123456789ABCDEF";

bool letter_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

bool allowed_bucket(std::string_view name) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
  };
  return name.size() >= 3 && name.size() <= 63 && std::ranges::all_of(name, allowed) && letter_or_digit(name.front());
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

}  // namespace

Result<S3Path> parse_s3_path(std::string_view path) {
  S3Path out;
  std::string_view rest = path.starts_with(kScheme) ? path.substr(kScheme.size()) : std::string_view();
  const size_t slash = std::min(rest.find('/'), rest.size());
  out.bucket = rest.substr(0, slash);
  if (!allowed_bucket(out.bucket)) {
    return make_error(ErrorCode::kBadValue, std::string(path) + " names no bucket of S3",
                      "write s3://bucket/prefix; a bucket has 3 to 63 small letters, digits, `-` and `.`");
  }
  rest.remove_prefix(slash);
  for (const char c : rest) {
    if (c != '/' || (!out.key.empty() && out.key.back() != '/')) out.key.push_back(c);
  }
  while (out.key.ends_with('/')) out.key.pop_back();
  return out;
}

std::string percent_encode(std::string_view text, bool keep_slashes) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (letter_or_digit(c) || c == '-' || c == '.' || c == '_' || c == '~' || (c == '/' && keep_slashes)) {
      out.push_back(c);
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out.push_back('%');
    out.push_back(kHex[byte >> 4]);
    out.push_back(kHex[byte & 15]);
  }
  return out;
}

std::string percent_decode(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const int high = text[i] == '%' && i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
    const int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
    if (low < 0) {
      out.push_back(text[i] == '+' ? ' ' : text[i]);
      continue;
    }
    out.push_back(static_cast<char>(high * 16 + low));
    i += 2;
  }
  return out;
}

std::string canonical_query(S3Pairs query) {
  for (auto& [name, value] : query) {
    name = percent_encode(name, false);
    value = percent_encode(value, false);
  }
  std::ranges::sort(query);
  std::string out;
  for (const auto& [name, value] : query) {
    if (!out.empty()) out.push_back('&');
    out.append(name).append("=").append(value);
  }
  return out;
}

}  // namespace millrace
