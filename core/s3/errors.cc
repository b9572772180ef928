#include "core/s3/errors.h"

#include <fmt/format.h>

#include <array>

#include "core/s3/retry.h"
#include "core/s3/xml.h"

namespace millrace {

namespace {

struct Help {
  std::string_view code;
  std::string_view help;
};

constexpr std::array<Help, 9> kHelp{{
    {"NoSuchBucket", "create the bucket, or correct its name; Millrace creates none"},
    {"AccessDenied",
     "the keys need s3:GetObject, s3:PutObject, s3:DeleteObject, s3:AbortMultipartUpload and s3:ListBucket here"},
    {"InvalidAccessKeyId", "check AWS_ACCESS_KEY_ID (or the secret aws_access_key_id)"},
    {"SignatureDoesNotMatch", "check AWS_SECRET_ACCESS_KEY (or the secret aws_secret_access_key) and s3.region"},
    {"RequestTimeTooSkewed", "set this machine's clock"},
    {"PermanentRedirect", "set s3.region (MILLRACE_S3_REGION) to the bucket's region"},
    {"AuthorizationHeaderMalformed", "set s3.region (MILLRACE_S3_REGION) to the bucket's region"},
    {"EntityTooLarge", "S3 takes 5 GB in one request"},
    {"NotImplemented", "this S3 server lacks something that Millrace needs; docs/s3.md says what"},
}};

ErrorCode code_of(int status, std::string_view code) {
  if (status == 404) return code == "NoSuchBucket" ? ErrorCode::kExternalRefused : ErrorCode::kNotFound;
  if (status == 412) return ErrorCode::kRefusedByState;
  if (status == 501 || (status < 500 && status != 408 && status != 429 && status != 409 && status >= 300)) {
    return code == "SlowDown" || code == "RequestTimeout" ? ErrorCode::kExternalFailed : ErrorCode::kExternalRefused;
  }
  return ErrorCode::kExternalFailed;
}

std::string help_of(const S3HttpReply& reply, std::string_view code) {
  for (const Help& one : kHelp) {
    if (one.code != code) continue;
    std::string help(one.help);
    const std::string_view region = reply.header("x-amz-bucket-region");
    if (!region.empty() && help.find("s3.region") != std::string::npos) help += fmt::format(", {}", region);
    return help;
  }
  if (code.empty() && reply.status == 403) return std::string(kHelp[1].help);
  return "";
}

}  // namespace

Error s3_error(std::string_view method, const S3Path& path, const Result<S3HttpReply>& reply, uint32_t tries) {
  const std::string often = tries > 1 ? fmt::format(", tried {} times", tries) : "";
  if (!reply) {
    Error error = reply.error();
    error.message = fmt::format("{} {}: {}{}", method, path.text(), error.message, often);
    return error;
  }
  const std::string code = s3_error_code(*reply);
  const std::string message = code.empty() ? "" : xml_text(reply->body, "Message");
  std::string text = fmt::format("{} {}: S3 answered {}", method, path.text(), reply->status);
  if (!code.empty()) text += " " + code;
  if (!message.empty()) text += fmt::format(" ({})", message);
  return {code_of(reply->status, code), text + often, help_of(*reply, code)};
}

}  // namespace millrace
