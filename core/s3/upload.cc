#include "core/s3/upload.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "core/s3/objects.h"
#include "core/s3/xml.h"

namespace millrace {

namespace {

constexpr uint64_t kNewBytesMax = 64 << 20;
constexpr uint64_t kPartsMax = 10'000;

Result<std::string> begin_upload(S3Client& client, const S3Path& path) {
  MR_ASSIGN(const S3HttpReply reply, client.call({.method = "POST", .path = path, .query = {{"uploads", ""}}}));
  std::string id = xml_text(reply.body, "UploadId");
  if (id.empty()) return make_error(ErrorCode::kExternalRefused, "POST " + path.text() + "?uploads: no UploadId");
  return id;
}

/// The parts' ETags.
Result<std::vector<std::string>> upload_parts(S3Client& client, const S3Path& path, const std::string& id,
                                              S3Spool& spool) {
  std::vector<std::string> etags;
  const uint64_t step = s3_part_bytes(spool.size());
  for (uint64_t at = 0; at < spool.size(); at += step) {
    MR_ASSIGN(const std::string part, spool.read(at, std::min(step, spool.size() - at)));
    MR_ASSIGN(const S3HttpReply reply,
              client.call({.method = "PUT",
                           .path = path,
                           .query = {{"partNumber", std::to_string(etags.size() + 1)}, {"uploadId", id}},
                           .headers = {{"content-md5", md5_base64(part)}},
                           .body = part}));
    etags.emplace_back(reply.header("etag"));
  }
  return etags;
}

Status complete_upload(S3Client& client, const S3Path& path, const std::string& id,
                       const std::vector<std::string>& etags, uint64_t size) {
  std::string body = "<CompleteMultipartUpload>";
  for (size_t i = 0; i < etags.size(); ++i) {
    body += fmt::format("<Part><PartNumber>{}</PartNumber><ETag>{}</ETag></Part>", i + 1, xml_escape(etags[i]));
  }
  body += "</CompleteMultipartUpload>";
  const auto reply =
      client.call({.method = "POST", .path = path, .query = {{"uploadId", id}}, .body = body, .error_in_body = true});
  if (reply) return {};
  // The answer of a try that succeeded may have been lost: then the upload is gone and the object is there.
  if (reply.error().code == ErrorCode::kNotFound) {
    MR_ASSIGN(const std::optional<uint64_t> found, s3_size(client, path));
    if (found == size) return {};
  }
  if (reply.error().code != ErrorCode::kNotFound) return std::unexpected(reply.error());
  return make_error(ErrorCode::kExternalFailed, reply.error().message);  // somebody aborted it: a new one may succeed
}

Status upload_in_parts(S3Client& client, const S3Path& path, S3Spool& spool) {
  MR_ASSIGN(const std::string id, begin_upload(client, path));
  const auto fill = [&]() -> Status {
    MR_ASSIGN(const std::vector<std::string> etags, upload_parts(client, path, id, spool));
    return complete_upload(client, path, id, etags, spool.size());
  };
  Status filled = fill();
  if (!filled) (void)client.call({.method = "DELETE", .path = path, .query = {{"uploadId", id}}});
  return filled;
}

}  // namespace

uint64_t s3_part_bytes(uint64_t size) { return std::max(kS3PartBytes, (size + kPartsMax - 1) / kPartsMax); }

Status s3_upload(S3Client& client, const S3Path& path, S3Spool& spool) {
  if (spool.size() > kS3PartBytes) return upload_in_parts(client, path, spool);
  MR_ASSIGN(const std::string bytes, spool.read(0, spool.size()));
  return s3_put(client, path, bytes);
}

Status s3_upload_new(S3Client& client, const S3Path& path, S3Spool& spool) {
  if (spool.size() > kNewBytesMax) {
    return make_error(ErrorCode::kExternalRefused,
                      fmt::format("{}: {} bytes are too many for one request", path.text(), spool.size()));
  }
  MR_ASSIGN(const std::string bytes, spool.read(0, spool.size()));
  return s3_put_new(client, path, bytes);
}

}  // namespace millrace
