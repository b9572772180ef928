// How a request travels: curl in production, a server in memory in the tests. Any thread; send() blocks its caller.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/s3/uri.h"
#include "core/status.h"

namespace millrace {

struct S3HttpRequest {
  std::string method;
  std::string origin;  // "https://bucket.s3.eu-central-1.amazonaws.com"
  std::string target;  // encoded path and query
  S3Pairs headers;
  std::string_view body;
};

struct S3HttpReply {
  int status = 0;
  S3Pairs headers;  // names in lower case
  std::string body;
  [[nodiscard]] std::string_view header(std::string_view name) const {
    for (const auto& [key, value] : headers) {
      if (key == name) return value;
    }
    return {};
  }
};

class S3Transport {
 public:
  virtual ~S3Transport() = default;
  /// kUnreachable: no connection, a broken one, or no whole answer within the time; the server may have acted all the
  /// same. kExternalRefused: a repetition cannot help (a certificate that is not trusted).
  virtual Result<S3HttpReply> send(const S3HttpRequest& request, int64_t timeout_ms) = 0;
};

}  // namespace millrace
