// A small HTTP/1.1 server for control traffic: one thread, callbacks, limits on everything a client can make large.
// The handler runs on the server's thread and must not wait for long.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "core/status.h"

namespace millrace {

struct HttpRequest {
  std::string method;  // "GET"
  std::string path;    // decoded, without the query
  std::map<std::string, std::string> query;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  /// A stream: `body` is its begin, then this is asked several times a second, on the server's thread, for what has
  /// come since; nothing ends it. An idle one sends a comment line now and then (server-sent events), so that a client
  /// that is gone is noticed.
  std::function<std::optional<std::string>()> more = {};
};

struct HttpServerOptions {
  std::string address = "127.0.0.1";
  uint16_t port = 0;                // 0 = any free port
  bool next_free = false;           // when the port is taken try the following ones (at most 100)
  size_t body_bytes_max = 5 << 20;  // a job file may have 4 MiB
  size_t connections_max = 256;
  int64_t idle_timeout_ms = 30'000;
};

class HttpServer {
 public:
  using Handler = std::function<HttpResponse(const HttpRequest&)>;

  static Result<std::unique_ptr<HttpServer>> start(const HttpServerOptions& options, Handler handler);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  [[nodiscard]] uint16_t port() const;
  /// "127.0.0.1:8081".
  [[nodiscard]] std::string address() const;

 private:
  struct Impl;
  explicit HttpServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Splits "/a/b%20c?x=1" into the decoded path and query. False when an escape is broken.
bool parse_target(std::string_view target, std::string& path, std::map<std::string, std::string>& query);

/// "127.0.0.1:8081" or "[::1]:8081" into address and port.
Result<std::pair<std::string, uint16_t>> parse_address(std::string_view text);

/// Whether only this machine reaches `host`: 127.x.y.z, ::1, localhost.
bool is_loopback(std::string_view host);

}  // namespace millrace
