#include "core/s3/retry.h"

#include <algorithm>
#include <array>

#include "core/s3/xml.h"

namespace millrace {

namespace {

constexpr int64_t kPauseMinMs = 50;
constexpr int64_t kPauseMaxMs = 5'000;

bool is_one_of(std::string_view code, std::initializer_list<std::string_view> names) {
  return std::ranges::find(names, code) != names.end();
}

}  // namespace

std::string s3_error_code(const S3HttpReply& reply) {
  if (reply.body.find("<Error>") == std::string::npos) return "";
  return xml_text(reply.body, "Code");
}

S3Verdict judge_s3_reply(const Result<S3HttpReply>& reply, bool error_in_body) {
  if (!reply) return reply.error().transient() ? S3Verdict::kRepeat : S3Verdict::kFail;
  const std::string code = reply->status < 300 && !error_in_body ? "" : s3_error_code(*reply);
  if (reply->status >= 200 && reply->status < 300) return code.empty() ? S3Verdict::kDone : S3Verdict::kRepeat;
  if (is_one_of(code, {"ExpiredToken", "TokenRefreshRequired"})) return S3Verdict::kNewKeys;
  if (is_one_of(code, {"SlowDown", "RequestTimeout", "ConditionalRequestConflict", "OperationAborted"})) {
    return S3Verdict::kRepeat;
  }
  const bool passes = reply->status == 408 || reply->status == 429 || reply->status == 500 || reply->status > 501;
  return passes ? S3Verdict::kRepeat : S3Verdict::kFail;
}

int64_t s3_pause_ms(uint32_t tries, Random& random) {
  const int64_t longest = std::min(kPauseMaxMs, kPauseMinMs << std::min(tries, 10U));
  return longest / 2 + static_cast<int64_t>(random.below(static_cast<uint64_t>(longest / 2) + 1));
}

}  // namespace millrace
