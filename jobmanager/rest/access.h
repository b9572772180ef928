// Who may ask: the name in Host (a page of another site whose name was pointed here carries its own), Origin of
// browsers and bearer tokens. Pure decisions; tokens are compared in constant time.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/file_system.h"
#include "http/server.h"

namespace millrace {

struct RestAccess {
  bool any_host = false;            // a closed network, where other machines call this one by names of their own
  std::vector<std::string> hosts;   // names beside localhost and IP addresses that Host may carry
  std::vector<std::string> tokens;  // empty: no authentication
};

/// Nothing: the request may pass. /healthz and /readyz need no token.
std::optional<HttpResponse> refuse_access(const HttpRequest& request, const RestAccess& access);

/// In constant time for tokens of one length.
bool is_one_of_tokens(std::string_view given, const std::vector<std::string>& tokens);

/// One token a line, `#` begins a comment; tokens of fewer than 16 characters are refused.
Result<std::vector<std::string>> read_token_file(FileSystem& fs, const std::string& path);

}  // namespace millrace
