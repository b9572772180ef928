#include "core/s3/signing.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <chrono>

namespace millrace {

namespace {

std::string digest(const EVP_MD* kind, std::string_view bytes) {
  std::string out(EVP_MAX_MD_SIZE, '\0');
  unsigned int length = 0;
  MR_CHECK(
      EVP_Digest(bytes.data(), bytes.size(), reinterpret_cast<unsigned char*>(out.data()), &length, kind, nullptr) == 1,
      "a digest of OpenSSL");
  out.resize(length);
  return out;
}

std::string hmac(std::string_view key, std::string_view bytes) {
  std::string out(EVP_MAX_MD_SIZE, '\0');
  unsigned int length = 0;
  MR_CHECK(
      HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(bytes.data()),
           bytes.size(), reinterpret_cast<unsigned char*>(out.data()), &length) != nullptr,
      "an HMAC of OpenSSL");
  out.resize(length);
  return out;
}

std::string hex(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) fmt::format_to(std::back_inserter(out), "{:02x}", static_cast<unsigned char>(c));
  return out;
}

}  // namespace

std::string s3_timestamp(int64_t wall_ms) {
  return fmt::format("{:%Y%m%dT%H%M%SZ}", fmt::gmtime(static_cast<std::time_t>(wall_ms / 1000)));
}

std::string sha256_hex(std::string_view bytes) { return hex(digest(EVP_sha256(), bytes)); }

std::string md5_base64(std::string_view bytes) {
  const std::string raw = digest(EVP_md5(), bytes);
  std::string out(4 * ((raw.size() + 2) / 3) + 1, '\0');
  const int length = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                     reinterpret_cast<const unsigned char*>(raw.data()), static_cast<int>(raw.size()));
  out.resize(static_cast<size_t>(length));
  return out;
}

std::string s3_authorization(const S3SigningInput& input, const S3Credentials& credentials, std::string_view region,
                             int64_t wall_ms) {
  S3Pairs headers = input.headers;
  std::ranges::sort(headers);
  std::string canonical;
  std::string names;
  for (const auto& [name, value] : headers) {
    canonical.append(name).append(":").append(value).append("\n");
    names.append(names.empty() ? "" : ";").append(name);
  }
  const std::string request = fmt::format("{}\n{}\n{}\n{}\n{}\n{}", input.method, input.path, input.query, canonical,
                                          names, input.payload_sha256);
  const std::string timestamp = s3_timestamp(wall_ms);
  const std::string day = timestamp.substr(0, 8);
  const std::string scope = fmt::format("{}/{}/s3/aws4_request", day, region);
  const std::string to_sign = fmt::format("AWS4-HMAC-SHA256\n{}\n{}\n{}", timestamp, scope, sha256_hex(request));
  const std::string of_day = hmac("AWS4" + credentials.secret_access_key, day);
  const std::string key = hmac(hmac(hmac(of_day, region), "s3"), "aws4_request");
  return fmt::format("AWS4-HMAC-SHA256 Credential={}/{}, SignedHeaders={}, Signature={}", credentials.access_key_id,
                     scope, names, hex(hmac(key, to_sign)));
}

}  // namespace millrace
