// Routes as data: method, pattern, purpose, function. A request finds its route by the segments of its path; what it
// may carry besides (query parameters) is checked here, so that functions see only known names. Filled once at start,
// then read by the HTTP server's thread.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/server.h"
#include "jobmanager/job_control.h"

namespace millrace {

struct RestContext;  // rest_api.h

/// One request on its way through its route.
struct RestCall {
  const HttpRequest& request;
  const RestContext& context;
  std::map<std::string, std::string, std::less<>> path;  // values of the pattern's `:name` segments

  [[nodiscard]] std::string segment(std::string_view name) const;
  [[nodiscard]] std::string query(const std::string& name, std::string otherwise = {}) const;
  /// "true" or present without a value.
  [[nodiscard]] bool flag(const std::string& name) const;
  /// The job of the `:job` segment, by id or name.
  [[nodiscard]] std::optional<JobView> job() const;
};

struct Route {
  using Function = HttpResponse (*)(const RestCall&);
  std::string method;                             // "GET"
  std::string pattern;                            // "/api/v1/jobs/:job"
  std::string summary;                            // for people
  Function function = nullptr;                    // null in no table
  std::vector<std::string> query{};               // names it takes; "param.*": any name with this beginning
  std::string body{};                             // content type of its body, "" without
  std::string content_type = "application/json";  // of its answer
};

class RouteTable {
 public:
  void add(std::vector<Route> routes);
  /// 404, 405 and 400 are answered here.
  [[nodiscard]] HttpResponse answer(const HttpRequest& request, const RestContext& context) const;
  [[nodiscard]] const std::vector<Route>& routes() const { return routes_; }

 private:
  std::vector<Route> routes_;
};

/// The answer of /openapi.json (OpenAPI 3.0.3).
std::string openapi_document(const std::vector<Route>& routes, std::string_view version);

/// Letters, digits, `_`, `-` and `.`, at most 128: the alphabet of ids and names in paths. "." and ".." are not.
bool is_path_word(std::string_view text);
/// 32 lower-case hex digits.
bool is_hex_id(std::string_view text);

}  // namespace millrace
