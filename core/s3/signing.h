// AWS Signature Version 4 for S3, the way of signing a request whose whole body is at hand
// (docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html). Pure functions; OpenSSL stays in signing.cc.
// libcurl's own signing is not used: it signs some keys and queries wrongly.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/s3/uri.h"

namespace millrace {

struct S3Credentials {
  std::string access_key_id;
  std::string secret_access_key;
  std::string session_token;  // empty: keys that last
};

/// What is signed. Header names in lower case; `host` is among them.
struct S3SigningInput {
  std::string_view method;
  std::string_view path;   // encoded
  std::string_view query;  // canonical
  S3Pairs headers;
  std::string_view payload_sha256;  // hexadecimal
};

/// The value of the header Authorization. `headers` must already hold x-amz-date, x-amz-content-sha256 and, where there
/// is one, x-amz-security-token.
std::string s3_authorization(const S3SigningInput& input, const S3Credentials& credentials, std::string_view region,
                             int64_t wall_ms);

/// "20130524T000000Z".
std::string s3_timestamp(int64_t wall_ms);

std::string sha256_hex(std::string_view bytes);
/// The value of Content-MD5.
std::string md5_base64(std::string_view bytes);

}  // namespace millrace
