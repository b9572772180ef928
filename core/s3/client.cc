#include "core/s3/client.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/s3/errors.h"
#include "core/s3/retry.h"
#include "core/waker.h"

namespace millrace {

namespace {

struct Place {
  std::string origin;
  std::string path;  // encoded
};

Place place_of(const S3Settings& settings, const S3Path& path) {
  std::string endpoint = settings.endpoint;
  if (endpoint.empty()) endpoint = fmt::format("https://s3.{}.amazonaws.com", settings.region);
  while (endpoint.ends_with('/')) endpoint.pop_back();
  const std::string key = percent_encode(path.key, true);
  // A wildcard certificate covers no name with dots.
  if (settings.path_style || path.bucket.find('.') != std::string::npos) {
    return {endpoint, fmt::format("/{}{}{}", path.bucket, key.empty() ? "" : "/", key)};
  }
  const size_t host = endpoint.find("://") + 3;
  return {endpoint.substr(0, host) + path.bucket + "." + endpoint.substr(host), "/" + key};
}

}  // namespace

Status check_s3_endpoint(const std::string& endpoint) {
  const size_t host = endpoint.starts_with("https://") ? 8 : endpoint.starts_with("http://") ? 7 : 0;
  const size_t slash = endpoint.find('/', host);
  if (host != 0 && endpoint.size() > host && (slash == std::string::npos || slash + 1 == endpoint.size())) return {};
  return make_error(ErrorCode::kBadValue, "the S3 endpoint `" + endpoint + "` is no address",
                    "write http://host:port or https://host, without a path");
}

S3Client::S3Client(S3Settings settings, std::unique_ptr<S3Transport> transport, Clock& clock, Random& random,
                   std::function<void(int64_t)> pause)
    : settings_(std::move(settings)),
      transport_(std::move(transport)),
      clock_(clock),
      random_(random),
      pause_(std::move(pause)) {}

void S3Client::pause(int64_t ms) {
  if (pause_) return pause_(ms);
  Waker nobody;
  nobody.wait(static_cast<int>(ms));
}

Result<S3Credentials> S3Client::credentials(bool fresh) {
  const std::lock_guard lock(mutex_);
  if (!keys_ || fresh) {
    if (!settings_.credentials) return make_error(ErrorCode::kExternalRefused, "no keys for S3");
    MR_ASSIGN(keys_, settings_.credentials());
  }
  return *keys_;
}

Result<S3HttpReply> S3Client::send(const S3Call& call, int64_t timeout_ms) {
  MR_ASSIGN(const S3Credentials keys, credentials(false));
  Place place = place_of(settings_, call.path);
  const int64_t now = clock_.wall_ms();
  const std::string payload = sha256_hex(call.body);
  const std::string query = canonical_query(call.query);
  S3HttpRequest request;
  request.method = call.method;
  request.headers = call.headers;
  request.headers.emplace_back("host", place.origin.substr(place.origin.find("://") + 3));
  request.headers.emplace_back("x-amz-content-sha256", payload);
  request.headers.emplace_back("x-amz-date", s3_timestamp(now));
  if (!keys.session_token.empty()) request.headers.emplace_back("x-amz-security-token", keys.session_token);
  request.headers.emplace_back(
      "authorization",
      s3_authorization({call.method, place.path, query, request.headers, payload}, keys, settings_.region, now));
  request.origin = std::move(place.origin);
  request.target = place.path + (query.empty() ? "" : "?" + query);
  request.body = call.body;
  return transport_->send(request, timeout_ms);
}

Result<S3HttpReply> S3Client::call(const S3Call& call) {
  if (!settings_.endpoint.empty()) MR_TRY(check_s3_endpoint(settings_.endpoint));
  const auto now_ms = [this] { return clock_.monotonic_ns() / 1'000'000; };
  const int64_t deadline = now_ms() + settings_.timeout_ms;
  uint32_t tries = 0;
  bool new_keys = false;
  while (true) {
    Result<S3HttpReply> reply = send(call, std::max<int64_t>(deadline - now_ms(), 1));
    ++tries;
    S3Verdict verdict = judge_s3_reply(reply, call.error_in_body);
    if (verdict == S3Verdict::kDone) return reply;
    if (verdict == S3Verdict::kNewKeys && !new_keys) {
      new_keys = true;
      MR_TRY(credentials(true));
      continue;
    }
    const int64_t pause_ms = s3_pause_ms(tries - 1, random_);
    if (verdict != S3Verdict::kRepeat || now_ms() + pause_ms >= deadline) {
      return std::unexpected(s3_error(call.method, call.path, reply, tries));
    }
    pause(pause_ms);
  }
}

}  // namespace millrace
