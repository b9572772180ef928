// What to do with an answer of S3, and how long to wait before the next try. Pure functions.
#pragma once

#include <cstdint>
#include <string>

#include "core/random.h"
#include "core/s3/transport.h"

namespace millrace {

enum class S3Verdict : uint8_t {
  kDone,
  kRepeat,   // it may pass: overload, a broken connection, no answer
  kNewKeys,  // the keys have expired: once with fresh ones
  kFail,     // the same however often one asks
};

/// The word of S3's catalogue in the answer's body, as "NoSuchKey"; empty where there is none.
std::string s3_error_code(const S3HttpReply& reply);

/// `error_in_body`: operations that answer 200 before they are done, and tell a failure in the body.
S3Verdict judge_s3_reply(const Result<S3HttpReply>& reply, bool error_in_body);

/// Before try number `tries` + 1: doubled every time up to 5 s, the upper half of it by chance, so that many that were
/// refused together do not come back together.
int64_t s3_pause_ms(uint32_t tries, Random& random);

}  // namespace millrace
