#include "core/s3/objects.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "core/s3/signing.h"
#include "core/s3/xml.h"

namespace millrace {

namespace {

constexpr size_t kRemovedAtOnce = 1000;

template <class Number>
Number number_of(std::string_view text) {
  Number number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

}  // namespace

Result<std::string> s3_get(S3Client& client, const S3Path& path) {
  MR_ASSIGN(S3HttpReply reply, client.call({.method = "GET", .path = path}));
  return std::move(reply.body);
}

Result<size_t> s3_get_range(S3Client& client, const S3Path& path, uint64_t offset, char* into, size_t size) {
  if (size == 0) return 0;
  const std::string range = fmt::format("bytes={}-{}", offset, offset + size - 1);
  MR_ASSIGN(const S3HttpReply reply, client.call({.method = "GET", .path = path, .headers = {{"range", range}}}));
  if (reply.status != 206 || reply.body.size() > size) {
    return make_error(ErrorCode::kExternalRefused, "GET " + path.text() + ": this S3 server ignores Range");
  }
  return reply.body.copy(into, size);
}

Result<S3Tail> s3_get_tail(S3Client& client, const S3Path& path, size_t size) {
  auto reply = client.call({.method = "GET", .path = path, .headers = {{"range", fmt::format("bytes=-{}", size)}}});
  if (reply) {
    S3Tail tail;
    tail.bytes = std::move(reply->body);
    const std::string_view range = reply->header("content-range");  // "bytes 5-9/10"
    const size_t slash = range.find('/');
    tail.object_bytes =
        slash == std::string_view::npos ? tail.bytes.size() : number_of<uint64_t>(range.substr(slash + 1));
    return tail;
  }
  if (reply.error().code != ErrorCode::kExternalRefused) return std::unexpected(reply.error());
  // An empty object has no last bytes: 416.
  MR_ASSIGN(const std::optional<uint64_t> whole, s3_size(client, path));
  if (whole == 0) return S3Tail{};
  return std::unexpected(reply.error());
}

Result<std::optional<uint64_t>> s3_size(S3Client& client, const S3Path& path) {
  const Result<S3HttpReply> reply = client.call({.method = "HEAD", .path = path});
  if (reply) return number_of<uint64_t>(reply->header("content-length"));
  if (reply.error().code == ErrorCode::kNotFound) return std::nullopt;
  return std::unexpected(reply.error());
}

Status s3_put(S3Client& client, const S3Path& path, std::string_view bytes) {
  MR_TRY(client.call({.method = "PUT", .path = path, .headers = {{"content-md5", md5_base64(bytes)}}, .body = bytes}));
  return {};
}

Status s3_put_new(S3Client& client, const S3Path& path, std::string_view bytes) {
  const auto reply = client.call({.method = "PUT",
                                  .path = path,
                                  .headers = {{"content-md5", md5_base64(bytes)}, {"if-none-match", "*"}},
                                  .body = bytes});
  if (reply) return {};
  // Whether an earlier try was carried out nobody can tell: curl, too, sends again on a connection that had died.
  if (reply.error().code == ErrorCode::kRefusedByState) {
    MR_ASSIGN(const std::string found, s3_get(client, path));
    if (found == bytes) return {};
  }
  return std::unexpected(reply.error());
}

Status s3_copy(S3Client& client, const S3Path& from, const S3Path& to) {
  const std::string source = fmt::format("/{}/{}", from.bucket, percent_encode(from.key, true));
  auto copied =
      client.call({.method = "PUT", .path = to, .headers = {{"x-amz-copy-source", source}}, .error_in_body = true});
  if (!copied) return std::unexpected(std::move(copied).error().with_context("copy of " + from.text()));
  return {};
}

Status s3_remove(S3Client& client, const S3Path& path) {
  const auto reply = client.call({.method = "DELETE", .path = path});
  if (!reply && reply.error().code != ErrorCode::kNotFound) return std::unexpected(reply.error());
  return {};
}

Status s3_remove_all(S3Client& client, const std::string& bucket, const std::vector<std::string>& keys) {
  for (size_t begin = 0; begin < keys.size(); begin += kRemovedAtOnce) {
    std::string body = "<Delete><Quiet>true</Quiet>";
    for (size_t i = begin; i < std::min(keys.size(), begin + kRemovedAtOnce); ++i) {
      body += fmt::format("<Object><Key>{}</Key></Object>", xml_escape(keys[i]));
    }
    body += "</Delete>";
    MR_ASSIGN(const S3HttpReply reply, client.call({.method = "POST",
                                                    .path = {bucket, ""},
                                                    .query = {{"delete", ""}},
                                                    .headers = {{"content-md5", md5_base64(body)}},
                                                    .body = body}));
    const auto failed = xml_elements(reply.body, "Error");
    if (failed.empty()) continue;
    return make_error(ErrorCode::kExternalFailed,
                      fmt::format("DELETE s3://{}/{}: S3 answered {} ({})", bucket, xml_text(failed[0], "Key"),
                                  xml_text(failed[0], "Code"), xml_text(failed[0], "Message")));
  }
  return {};
}

Result<std::vector<S3ListEntry>> s3_list(S3Client& client, const std::string& bucket, const std::string& prefix,
                                         bool deep, uint32_t max) {
  std::vector<S3ListEntry> out;
  std::string token;
  do {
    S3Pairs query{{"list-type", "2"}, {"prefix", prefix}, {"encoding-type", "url"}};
    if (!deep) query.emplace_back("delimiter", "/");
    if (max != 0) query.emplace_back("max-keys", std::to_string(max));
    if (!token.empty()) query.emplace_back("continuation-token", token);
    MR_ASSIGN(const S3HttpReply reply, client.call({.method = "GET", .path = {bucket, ""}, .query = std::move(query)}));
    const bool encoded = xml_text(reply.body, "EncodingType") == "url";
    const auto key_of = [&](std::string_view element, std::string_view name) {
      std::string key = xml_text(element, name);
      return encoded ? percent_decode(key) : key;
    };
    for (const std::string_view one : xml_elements(reply.body, "Contents")) {
      out.push_back({key_of(one, "Key"), number_of<uint64_t>(xml_text(one, "Size"))});
    }
    for (const std::string_view one : xml_elements(reply.body, "CommonPrefixes")) {
      out.push_back({key_of(one, "Prefix"), 0});
    }
    token = xml_text(reply.body, "IsTruncated") == "true" ? xml_text(reply.body, "NextContinuationToken") : "";
  } while (!token.empty() && (max == 0 || out.size() < max));
  std::ranges::sort(out, {}, &S3ListEntry::key);
  return out;
}

Status s3_check_conditional_writes(S3Client& client, const S3Path& path) {
  const size_t slash = path.key.rfind('/');
  const std::string directory = slash == std::string::npos ? "" : path.key.substr(0, slash + 1);
  const S3Path probe{path.bucket, fmt::format("{}.millrace-probe-{:016x}", directory, client.random().next())};
  MR_TRY(s3_put_new(client, probe, "first"));
  const Status second = s3_put_new(client, probe, "second");
  (void)s3_remove(client, probe);
  if (!second && second.error().code == ErrorCode::kRefusedByState) return {};
  if (!second) return second;
  return make_error(ErrorCode::kExternalRefused,
                    "the S3 server of s3://" + path.bucket +
                        " ignores `If-None-Match: *`: two processes could own one "
                        "job, and neither would notice",
                    "use a server that has conditional writes (AWS, MinIO, Ceph, Versity, R2), or a local directory");
}

}  // namespace millrace
