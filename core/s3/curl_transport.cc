#include "core/s3/curl_transport.h"

#include <curl/curl.h>

#include <algorithm>
#include <charconv>
#include <mutex>
#include <vector>

namespace millrace {

namespace {

constexpr long kConnectTimeoutMs = 5'000;
constexpr long kSilenceS = 10;  // without a byte: the connection is given up

struct CurlClose {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
};
using CurlHandle = std::unique_ptr<CURL, CurlClose>;

struct HeadersFree {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using CurlHeaders = std::unique_ptr<curl_slist, HeadersFree>;

size_t take_body(char* bytes, size_t /*one*/, size_t count, void* into) {
  static_cast<std::string*>(into)->append(bytes, count);
  return count;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.back() == '\r' || text.back() == '\n' || text.back() == ' ')) text.remove_suffix(1);
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  return text;
}

size_t take_header(char* bytes, size_t /*one*/, size_t count, void* into) {
  const std::string_view line(bytes, count);
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return count;
  std::string name(line.substr(0, colon));
  std::ranges::transform(name, name.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? char(c + 32) : c; });
  static_cast<S3Pairs*>(into)->emplace_back(std::move(name), std::string(trimmed(line.substr(colon + 1))));
  return count;
}

/// Errors that are the same however often one tries.
bool lasting(CURLcode code) {
  return code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE || code == CURLE_URL_MALFORMAT;
}

CurlHeaders header_list(const S3HttpRequest& request) {
  curl_slist* list = nullptr;
  for (const auto& [name, value] : request.headers) {
    const std::string line = std::string(name).append(": ").append(value);
    list = curl_slist_append(list, line.c_str());
  }
  // Off: curl's own waits for a go-ahead and guesses at the type of the body.
  list = curl_slist_append(list, "Expect:");
  list = curl_slist_append(list, "Content-Type: application/octet-stream");
  return CurlHeaders(list);
}

void describe(CURL* curl, const S3HttpRequest& request, const std::string& url, int64_t timeout_ms) {
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, std::min<long>(kConnectTimeoutMs, static_cast<long>(timeout_ms)));
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(timeout_ms));
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, kSilenceS);
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  if (request.method == "HEAD") {
    curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    return;
  }
  if (request.method != "GET" && request.method != "DELETE") {
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request.body.empty() ? "" : request.body.data());
  }
  curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request.method.c_str());
}

class CurlTransport final : public S3Transport {
 public:
  explicit CurlTransport(std::string ca_file) : ca_file_(std::move(ca_file)) {}

  Result<S3HttpReply> send(const S3HttpRequest& request, int64_t timeout_ms) override {
    CurlHandle curl = take();
    const std::string url = request.origin + request.target;
    const CurlHeaders headers = header_list(request);
    S3HttpReply reply;
    char problem[CURL_ERROR_SIZE] = {};
    describe(curl.get(), request, url, std::max<int64_t>(timeout_ms, 1));
    if (!ca_file_.empty()) curl_easy_setopt(curl.get(), CURLOPT_CAINFO, ca_file_.c_str());
    curl_easy_setopt(curl.get(), CURLOPT_HTTPHEADER, headers.get());
    curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &reply.body);
    curl_easy_setopt(curl.get(), CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(curl.get(), CURLOPT_HEADERDATA, &reply.headers);
    curl_easy_setopt(curl.get(), CURLOPT_ERRORBUFFER, problem);
    const CURLcode code = curl_easy_perform(curl.get());
    if (code != CURLE_OK) {
      return make_error(lasting(code) ? ErrorCode::kExternalRefused : ErrorCode::kUnreachable,
                        request.origin + ": " + (problem[0] != '\0' ? problem : curl_easy_strerror(code)));
    }
    long status = 0;
    curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &status);
    reply.status = static_cast<int>(status);
    give_back(std::move(curl));
    return reply;
  }

 private:
  CurlHandle take() {
    static const bool ready = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
    MR_CHECK(ready, "curl_global_init");
    {
      const std::lock_guard lock(mutex_);
      if (!idle_.empty()) {
        CurlHandle handle = std::move(idle_.back());
        idle_.pop_back();
        return handle;
      }
    }
    return CurlHandle(curl_easy_init());
  }

  void give_back(CurlHandle handle) {
    curl_easy_reset(handle.get());  // the connection stays
    const std::lock_guard lock(mutex_);
    idle_.push_back(std::move(handle));
  }

  std::string ca_file_;
  std::mutex mutex_;
  std::vector<CurlHandle> idle_;
};

}  // namespace

std::unique_ptr<S3Transport> make_curl_transport(std::string ca_file) {
  return std::make_unique<CurlTransport>(std::move(ca_file));
}

}  // namespace millrace
