// Where S3 is and who asks. One set per process (core/storage.h).
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "core/s3/signing.h"

namespace millrace {

struct S3Settings {
  std::string endpoint;  // "http://127.0.0.1:9000"; empty: AWS in this region
  std::string region = "us-east-1";
  bool path_style = false;         // the bucket in the path instead of the host name
  int64_t timeout_ms = 30'000;     // for one operation with all its repetitions
  std::string ca_file;             // certificates that are trusted; empty: the system's
  std::string spool_dir = "/tmp";  // what a file holds beyond 1 MiB lies here until it is uploaded
  /// Asked again when the server says that the keys have expired.
  std::function<Result<S3Credentials>()> credentials;
};

/// kBadValue: the endpoint is no http:// or https:// address.
Status check_s3_endpoint(const std::string& endpoint);

}  // namespace millrace
