#include "jobmanager/rest/responses.h"

#include "core/text.h"

namespace millrace {

namespace {

HttpResponse error_body(int status, std::string_view message, std::string_view code, std::string_view help) {
  std::string body = "{\"errors\":[";
  append_json_string(body, message);
  body += "],\"error\":";
  append_json_string(body, message);
  body += ",\"code\":";
  append_json_string(body, code);
  body += ",\"help\":";
  append_json_string(body, help);
  body += "}";
  return {status, "application/json", std::move(body)};
}

}  // namespace

int http_status_of(const Error& error) {
  if (error.code == ErrorCode::kNotFound) return 404;
  if (error.info().code.starts_with("E04")) return 409;
  switch (error.info().domain) {
    case ErrorDomain::kUser:
      return 400;
    case ErrorDomain::kExternal:
      return 503;
    case ErrorDomain::kInternal:
      break;
  }
  return 500;
}

HttpResponse rest_error(int status, std::string_view message, std::string_view help) {
  return error_body(status, message, "", help);
}

HttpResponse rest_error(const Error& error) {
  return error_body(http_status_of(error), error.message, error.info().code, error.help);
}

}  // namespace millrace
