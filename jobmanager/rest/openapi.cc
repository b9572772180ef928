// The OpenAPI document, from the table of routes.
#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>

#include "jobmanager/rest/route_table.h"

namespace millrace {

namespace {

using ApiJson = nlohmann::ordered_json;

/// "/jobs/:job/plan" -> "/jobs/{job}/plan", and the names.
std::string template_of(std::string_view pattern, std::vector<std::string>& names) {
  std::string out;
  for (size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] != ':') {
      out += pattern[i];
      continue;
    }
    const size_t end = std::min(pattern.find('/', i), pattern.size());
    names.emplace_back(pattern.substr(i + 1, end - i - 1));
    out += "{" + names.back() + "}";
    i = end - 1;
  }
  return out;
}

std::string operation_id(const Route& route) {
  std::string id = route.method;
  for (char& c : id) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  for (const char c : route.pattern) id += std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
  return id;
}

ApiJson parameter(const std::string& name, const char* place, bool required) {
  return {{"name", name}, {"in", place}, {"required", required}, {"schema", {{"type", "string"}}}};
}

ApiJson operation_of(const Route& route, const std::vector<std::string>& names) {
  ApiJson parameters = ApiJson::array();
  for (const std::string& name : names) parameters.push_back(parameter(name, "path", true));
  for (const std::string& name : route.query) parameters.push_back(parameter(name, "query", false));
  ApiJson operation{{"operationId", operation_id(route)}, {"summary", route.summary}, {"parameters", parameters}};
  if (!route.body.empty()) {
    operation["requestBody"] = {
        {"content", {{route.body, {{"schema", {{"type", route.body == "application/json" ? "object" : "string"}}}}}}}};
  }
  const ApiJson error{{"description", "an error"},
                      {"content", {{"application/json", {{"schema", {{"$ref", "#/components/schemas/Error"}}}}}}}};
  operation["responses"] = {{"2XX", {{"description", "done"}, {"content", {{route.content_type, ApiJson::object()}}}}},
                            {"4XX", error},
                            {"5XX", error}};
  return operation;
}

}  // namespace

std::string openapi_document(const std::vector<Route>& routes, std::string_view version) {
  ApiJson paths = ApiJson::object();
  for (const Route& route : routes) {
    std::vector<std::string> names;
    const std::string path = template_of(route.pattern, names);
    std::string method = route.method;
    for (char& c : method) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    paths[path][method] = operation_of(route, names);
  }
  const ApiJson text{{"type", "string"}};
  const ApiJson error{
      {"type", "object"},
      {"properties",
       {{"errors", {{"type", "array"}, {"items", text}}}, {"error", text}, {"code", text}, {"help", text}}}};
  const ApiJson document{{"openapi", "3.0.3"},
                         {"info", {{"title", "Millrace"}, {"version", version}}},
                         {"paths", paths},
                         {"components", {{"schemas", {{"Error", error}}}}}};
  return document.dump(1);
}

}  // namespace millrace
