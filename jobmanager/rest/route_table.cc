#include "jobmanager/rest/route_table.h"

#include <algorithm>

#include "core/nearest.h"
#include "jobmanager/rest/responses.h"
#include "jobmanager/rest/rest_api.h"

namespace millrace {

namespace {

constexpr size_t kPathWordMax = 128;

std::vector<std::string_view> segments_of(std::string_view path) {
  std::vector<std::string_view> out;
  while (!path.empty()) {
    path.remove_prefix(1);  // the slash
    const size_t end = std::min(path.find('/'), path.size());
    out.push_back(path.substr(0, end));
    path.remove_prefix(end);
  }
  if (!out.empty() && out.back().empty()) out.pop_back();  // "/jobs/" is "/jobs"
  return out;
}

using PathValues = std::map<std::string, std::string, std::less<>>;

bool match(std::string_view pattern, const std::vector<std::string_view>& path, PathValues& values) {
  const auto wanted = segments_of(pattern);
  if (wanted.size() != path.size()) return false;
  values.clear();
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i].starts_with(':')) {
      values.emplace(wanted[i].substr(1), path[i]);
    } else if (wanted[i] != path[i]) {
      return false;
    }
  }
  return true;
}

/// How many segments of a pattern are fixed: /jobs/overview comes before /jobs/:job.
size_t fixed_segments(const Route& route) {
  const auto all = segments_of(route.pattern);
  return static_cast<size_t>(std::ranges::count_if(all, [](std::string_view one) { return !one.starts_with(':'); }));
}

bool takes(const Route& route, const std::string& name) {
  return std::ranges::any_of(route.query, [&](const std::string& known) {
    if (known.ends_with('*')) return name.starts_with(std::string_view(known).substr(0, known.size() - 1));
    return known == name;
  });
}

std::optional<HttpResponse> refuse_query(const Route& route, const HttpRequest& request) {
  for (const auto& [name, value] : request.query) {
    if (takes(route, name)) continue;
    const std::vector<std::string_view> known(route.query.begin(), route.query.end());
    const std::string near = nearest_name(name, known);
    return rest_error(400, "`" + name + "` is not a parameter of " + route.method + " " + route.pattern,
                      near.empty() ? "" : "did you mean `" + near + "`?");
  }
  return std::nullopt;
}

}  // namespace

std::string RestCall::segment(std::string_view name) const {
  const auto found = path.find(name);
  return found == path.end() ? "" : found->second;
}

std::string RestCall::query(const std::string& name, std::string otherwise) const {
  const auto found = request.query.find(name);
  return found == request.query.end() ? std::move(otherwise) : found->second;
}

bool RestCall::flag(const std::string& name) const {
  const auto found = request.query.find(name);
  return found != request.query.end() && (found->second.empty() || found->second == "true");
}

std::optional<JobView> RestCall::job() const { return context.control->job(segment("job")); }

void RouteTable::add(std::vector<Route> routes) {
  for (Route& route : routes) routes_.push_back(std::move(route));
  std::ranges::stable_sort(routes_,
                           [](const Route& a, const Route& b) { return fixed_segments(a) > fixed_segments(b); });
}

HttpResponse RouteTable::answer(const HttpRequest& request, const RestContext& context) const {
  const auto path = segments_of(request.path);
  const std::string method = request.method == "HEAD" ? "GET" : request.method;
  RestCall call{request, context, {}};
  std::string others;
  for (const Route& route : routes_) {
    if (!match(route.pattern, path, call.path)) continue;
    if (route.method != method) {
      others += (others.empty() ? "" : ", ") + route.method;
      continue;
    }
    for (const auto& [name, value] : call.path) {
      if (!is_path_word(value)) return rest_error(400, "`" + value + "` is not a " + name + " id or name");
    }
    if (auto refused = refuse_query(route, request)) return *refused;
    return route.function(call);
  }
  if (!others.empty()) return rest_error(405, request.path + " answers " + others + " only");
  return rest_error(404, "nothing at " + request.path, "GET /openapi.json lists what is here");
}

bool is_path_word(std::string_view text) {
  if (text.empty() || text.size() > kPathWordMax || text == "." || text == "..") return false;
  return std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '.';
  });
}

bool is_hex_id(std::string_view text) {
  return text.size() == 32 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

}  // namespace millrace
