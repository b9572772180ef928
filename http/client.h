// A small blocking HTTP/1.1 client for the command line: one connection a call, one time limit for all of it.
// Any thread; no streaming.
#pragma once

#include <cstdint>
#include <string>

#include "core/status.h"
#include "http/server.h"

namespace millrace {

struct HttpCall {
  std::string address;  // "http://127.0.0.1:8081", "127.0.0.1:8081", "http://host/base"
  std::string method = "GET";
  std::string target = "/";  // path and query, escaped; appended to the base path of the address
  std::string body;
  std::string content_type = "application/json";
  std::string bearer_token;  // "" without
  int64_t timeout_ms = 10'000;
  size_t body_bytes_max = 64 << 20;
};

/// The server's answer whatever its status; kUnreachable when there is none in time, kBadValue for a bad address.
Result<HttpResponse> http_call(const HttpCall& call);

Result<HttpResponse> http_get(const std::string& address, const std::string& target);
Result<HttpResponse> http_post(const std::string& address, const std::string& target, std::string body,
                               const std::string& content_type = "application/json");

/// "a b/c" -> "a%20b%2Fc": for one segment of a path or one value of a query.
std::string escape_url(std::string_view text);

}  // namespace millrace
