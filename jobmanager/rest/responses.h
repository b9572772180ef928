// The one form of errors: {"errors": ["message"], "error": "message", "code": "E0505", "help": "…"}. `errors` is what
// clients of Flink's API read. Pure functions.
#pragma once

#include <string>
#include <string_view>

#include "core/status.h"
#include "http/server.h"

namespace millrace {

HttpResponse rest_error(int status, std::string_view message, std::string_view help = {});
/// The status follows from the error: 404, 409 (refused by state), 400 (the caller's mistake), 503 or 500.
HttpResponse rest_error(const Error& error);
int http_status_of(const Error& error);

}  // namespace millrace
