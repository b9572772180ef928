// An S3 server in memory behind S3Transport: objects, listings in pages, multipart uploads, conditional writes, and
// faults that a test asks for. It is atomic, as AWS is. Any thread.
#pragma once

#include <algorithm>
#include <charconv>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/s3/client.h"
#include "core/s3/transport.h"
#include "core/s3/xml.h"

namespace millrace {

class MemoryS3 {
 public:
  using Objects = std::map<std::string, std::string>;  // "bucket/key"
  enum class Fault : uint8_t { kNone, k503, kReset, kLostAnswer };

  Objects objects;
  std::map<std::string, std::map<int, std::string>> uploads;  // by id
  std::vector<std::string> buckets{"bucket"};
  std::deque<Fault> faults;  // of the next requests
  std::function<Fault(const S3HttpRequest&)> fault_of;
  bool ignores_conditions = false;
  size_t page = 1000;
  std::vector<std::string> seen;  // "PUT /bucket/key"
  std::string expired_key_id;     // answers ExpiredToken to it

  Result<S3HttpReply> answer(const S3HttpRequest& request) {
    const auto decide = fault_of;  // it may set itself to something else, and ask this server
    Fault fault = decide ? decide(request) : Fault::kNone;
    const std::lock_guard lock(mutex_);
    seen.push_back(request.method + " " + request.target);
    if (!faults.empty()) {
      fault = faults.front();
      faults.pop_front();
    }
    if (fault == Fault::k503) return error(503, "SlowDown");
    if (fault == Fault::kReset) return make_error(ErrorCode::kUnreachable, "connection reset");
    S3HttpReply reply = act(request);
    if (fault == Fault::kLostAnswer) return make_error(ErrorCode::kUnreachable, "no answer in time");
    return reply;
  }

 private:
  static S3HttpReply error(int status, const std::string& code) {
    return {status, {}, "<?xml version='1.0'?><Error><Code>" + code + "</Code><Message>a test</Message></Error>"};
  }
  static std::string header(const S3HttpRequest& request, std::string_view name) {
    for (const auto& [key, value] : request.headers) {
      if (key == name) return value;
    }
    return "";
  }

  S3HttpReply act(const S3HttpRequest& request) {
    if (!expired_key_id.empty() && header(request, "authorization").find(expired_key_id) != std::string::npos) {
      return error(400, "ExpiredToken");
    }
    std::string path = request.target.substr(1, request.target.find('?') - 1);
    std::map<std::string, std::string> query;
    std::string text =
        request.target.find('?') == std::string::npos ? "" : request.target.substr(request.target.find('?') + 1) + "&";
    for (size_t at = 0; at < text.size();) {
      const size_t end = text.find('&', at);
      const size_t equals = text.find('=', at);
      query[text.substr(at, equals - at)] = percent_decode(text.substr(equals + 1, end - equals - 1));
      at = end + 1;
    }
    path = percent_decode(path);
    const std::string bucket = path.substr(0, path.find('/'));
    if (std::ranges::find(buckets, bucket) == buckets.end()) return error(404, "NoSuchBucket");
    if (query.contains("list-type")) return list(bucket, query);
    if (query.contains("delete")) return remove_many(bucket, request);
    if (query.contains("uploads") || query.contains("uploadId")) return multipart(path, query, request);
    return object(path, request);
  }

  S3HttpReply object(const std::string& path, const S3HttpRequest& request) {
    const auto found = objects.find(path);
    if (request.method == "DELETE") {
      objects.erase(path);
      return {204, {}, ""};
    }
    if (request.method == "PUT") {
      const std::string source = header(request, "x-amz-copy-source");
      if (!source.empty()) {
        const auto from = objects.find(percent_decode(source.substr(1)));
        if (from == objects.end()) return error(404, "NoSuchKey");
        objects[path] = std::string(from->second);
        return {200, {}, "<CopyObjectResult></CopyObjectResult>"};
      }
      if (header(request, "if-none-match") == "*" && found != objects.end() && !ignores_conditions) {
        return error(412, "PreconditionFailed");
      }
      if (header(request, "content-md5") != md5_base64(request.body)) return error(400, "BadDigest");
      objects[path] = std::string(request.body);
      return {200, {}, ""};
    }
    if (found == objects.end()) return request.method == "HEAD" ? S3HttpReply{404, {}, ""} : error(404, "NoSuchKey");
    const std::string& bytes = found->second;
    if (request.method == "HEAD") return {200, {{"content-length", std::to_string(bytes.size())}}, ""};
    const std::string range = header(request, "range");
    if (range.empty()) return {200, {}, bytes};
    size_t begin = 0;
    size_t end = 0;
    const size_t dash = range.find('-');
    if (dash == 6) {  // the last bytes
      std::from_chars(range.data() + 7, range.data() + range.size(), end);
      if (bytes.empty()) return error(416, "InvalidRange");
      begin = bytes.size() - std::min(bytes.size(), end);
      return {206,
              {{"content-range", "bytes " + std::to_string(begin) + "-/" + std::to_string(bytes.size())}},
              bytes.substr(begin)};
    }
    std::from_chars(range.data() + 6, range.data() + dash, begin);
    std::from_chars(range.data() + dash + 1, range.data() + range.size(), end);
    return {206, {}, bytes.substr(begin, end - begin + 1)};
  }

  S3HttpReply list(const std::string& bucket, std::map<std::string, std::string>& query) {
    const std::string prefix = bucket + "/" + query["prefix"];
    std::map<std::string, size_t> found;
    for (const auto& [path, bytes] : objects) {
      if (!path.starts_with(prefix)) continue;
      const size_t slash = query.contains("delimiter") ? path.find('/', prefix.size()) : std::string::npos;
      found.emplace(path.substr(bucket.size() + 1, slash == std::string::npos ? slash : slash - bucket.size()),
                    bytes.size());
    }
    size_t most = page;
    if (query.contains("max-keys")) {
      most = std::min<size_t>(most, static_cast<size_t>(query["max-keys"][0] - '0'));
    }
    std::string body = "<ListBucketResult><EncodingType>url</EncodingType>";
    std::string last;
    bool more = false;
    for (const auto& [key, size] : found) {
      if (query.contains("continuation-token") && key <= query["continuation-token"]) continue;
      if (most-- == 0) {
        more = true;
        break;
      }
      last = key;
      const std::string encoded = percent_encode(key, true);
      body += key.ends_with('/')
                  ? "<CommonPrefixes><Prefix>" + encoded + "</Prefix></CommonPrefixes>"
                  : "<Contents><Key>" + encoded + "</Key><Size>" + std::to_string(size) + "</Size></Contents>";
    }
    body += std::string("<IsTruncated>") + (more ? "true" : "false") + "</IsTruncated><NextContinuationToken>" +
            xml_escape(last) + "</NextContinuationToken></ListBucketResult>";
    return {200, {}, body};
  }

  S3HttpReply remove_many(const std::string& bucket, const S3HttpRequest& request) {
    for (const std::string_view one : xml_elements(request.body, "Object")) {
      objects.erase(bucket + "/" + xml_text(one, "Key"));
    }
    return {200, {}, "<DeleteResult></DeleteResult>"};
  }

  S3HttpReply multipart(const std::string& path, std::map<std::string, std::string>& query,
                        const S3HttpRequest& request) {
    if (query.contains("uploads")) {
      const std::string id = "id&" + std::to_string(++last_upload_);
      uploads[id];
      return {
          200,
          {},
          "<InitiateMultipartUploadResult><UploadId>" + xml_escape(id) + "</UploadId></InitiateMultipartUploadResult>"};
    }
    const auto upload = uploads.find(query["uploadId"]);
    if (upload == uploads.end()) return error(404, "NoSuchUpload");
    if (request.method == "DELETE") {
      uploads.erase(upload);
      return {204, {}, ""};
    }
    if (request.method == "PUT") {
      int number = 0;
      const std::string& text = query["partNumber"];
      std::from_chars(text.data(), text.data() + text.size(), number);
      upload->second[number] = std::string(request.body);
      return {200, {{"etag", "\"" + md5_base64(request.body) + "\""}}, ""};
    }
    std::string whole;
    for (const std::string_view part : xml_elements(request.body, "Part")) {
      const std::string number = xml_text(part, "PartNumber");
      int index = 0;
      std::from_chars(number.data(), number.data() + number.size(), index);
      const std::string& bytes = upload->second[index];
      if (xml_text(part, "ETag") != "\"" + md5_base64(bytes) + "\"") return error(400, "InvalidPart");
      whole += bytes;
    }
    objects[path] = whole;
    uploads.erase(upload);
    return {200, {}, "<CompleteMultipartUploadResult></CompleteMultipartUploadResult>"};
  }

  std::mutex mutex_;
  int last_upload_ = 0;
};

class MemoryTransport final : public S3Transport {
 public:
  explicit MemoryTransport(MemoryS3& server) : server_(server) {}
  Result<S3HttpReply> send(const S3HttpRequest& request, int64_t /*timeout_ms*/) override {
    return server_.answer(request);
  }

 private:
  MemoryS3& server_;
};

/// A client of it whose time is a clock of the test: pauses pass at once.
struct MemoryClient {
  MemoryS3 server;
  ManualClock clock{1'700'000'000'000};
  SeededRandom random{7};
  int keys_asked = 0;
  std::unique_ptr<S3Client> client = make();

  std::unique_ptr<S3Client> make() {
    S3Settings settings;
    settings.endpoint = "http://127.0.0.1:9000";
    settings.path_style = true;
    settings.credentials = [this]() -> Result<S3Credentials> {
      return S3Credentials{"KEY" + std::to_string(++keys_asked), "secret", ""};
    };
    return std::make_unique<S3Client>(std::move(settings), std::make_unique<MemoryTransport>(server), clock, random,
                                      [this](int64_t ms) { clock.advance_ms(ms); });
  }
};

}  // namespace millrace
