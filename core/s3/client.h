// Requests to S3: addressed, signed, repeated with growing pauses until the time limit. Any thread; blocks its caller,
// so never a worker. Invariant: a request may have been carried out more than once, whatever the answer; see objects.h.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "core/clock.h"
#include "core/random.h"
#include "core/s3/settings.h"
#include "core/s3/transport.h"

namespace millrace {

struct S3Call {
  std::string_view method;
  S3Path path;
  S3Pairs query = {};
  S3Pairs headers = {};  // further ones, names in lower case
  std::string_view body = {};
  bool error_in_body = false;  // see judge_s3_reply
};

class S3Client {
 public:
  /// `pause`: waits so many milliseconds; empty: really.
  S3Client(S3Settings settings, std::unique_ptr<S3Transport> transport, Clock& clock, Random& random,
           std::function<void(int64_t)> pause = {});

  /// The answer when it is a 2xx; else an error of s3_error().
  Result<S3HttpReply> call(const S3Call& call);

  [[nodiscard]] const S3Settings& settings() const { return settings_; }
  [[nodiscard]] Random& random() { return random_; }

 private:
  Result<S3HttpReply> send(const S3Call& call, int64_t timeout_ms);
  Result<S3Credentials> credentials(bool fresh);
  void pause(int64_t ms);

  S3Settings settings_;
  std::unique_ptr<S3Transport> transport_;
  Clock& clock_;
  Random& random_;
  std::function<void(int64_t)> pause_;
  std::mutex mutex_;
  std::optional<S3Credentials> keys_;
};

}  // namespace millrace
