#include "jobmanager/rest/access.h"

#include <algorithm>

#include "jobmanager/rest/responses.h"

namespace millrace {

namespace {

constexpr size_t kTokenCharactersMin = 16;

/// "localhost:8081" -> "localhost"; "[::1]:8081" -> "[::1]".
std::string_view host_name(std::string_view host) {
  if (host.starts_with('[')) return host.substr(0, std::min(host.find(']'), host.size() - 1) + 1);
  return host.substr(0, host.find(':'));
}

/// An address cannot be pointed elsewhere, a name can.
bool is_ip_address(std::string_view name) {
  if (name.starts_with('[')) return name.ends_with(']');
  return !name.empty() && name.find_first_not_of("0123456789.") == std::string_view::npos;
}

bool known_host(std::string_view host, const RestAccess& access) {
  const std::string_view name = host_name(host);
  return name.empty() || is_ip_address(name) || name == "localhost" ||
         std::ranges::find(access.hosts, name) != access.hosts.end();
}

bool same_text(std::string_view a, std::string_view b) {
  unsigned different = a.size() == b.size() ? 0 : 1;
  for (size_t i = 0; i < a.size() && i < b.size(); ++i) different |= static_cast<unsigned char>(a[i] ^ b[i]);
  return different == 0;
}

std::string_view header(const HttpRequest& request, const std::string& name) {
  const auto found = request.headers.find(name);
  return found == request.headers.end() ? std::string_view() : std::string_view(found->second);
}

bool authenticated(const HttpRequest& request, const RestAccess& access) {
  constexpr std::string_view kScheme = "Bearer ";
  std::string_view given = header(request, "authorization");
  if (!given.starts_with(kScheme)) return false;
  given.remove_prefix(kScheme.size());
  return is_one_of_tokens(given, access.tokens);
}

}  // namespace

bool is_one_of_tokens(std::string_view given, const std::vector<std::string>& tokens) {
  bool found = false;
  for (const std::string& token : tokens) found |= same_text(given, token);
  return found;
}

std::optional<HttpResponse> refuse_access(const HttpRequest& request, const RestAccess& access) {
  const std::string_view host = header(request, "host");
  if (!access.any_host && !known_host(host, access)) {
    return rest_error(421, "this server is not called `" + std::string(host_name(host)) + "`",
                      "call it by localhost or its address, or add the name to `rest.hosts`");
  }
  const std::string_view origin = header(request, "origin");
  const bool reads = request.method == "GET" || request.method == "HEAD";
  if (!reads && !origin.empty()) {
    const size_t scheme = origin.find("://");
    if (scheme == std::string_view::npos || origin.substr(scheme + 3) != host) {
      return rest_error(403, "a page of another site asks for a change", "open the pages of this server itself");
    }
  }
  const bool open_page = request.path == "/healthz" || request.path == "/readyz";
  if (!access.tokens.empty() && !open_page && !authenticated(request, access)) {
    return rest_error(401, "a token is missing or wrong", "send `Authorization: Bearer <token>`");
  }
  return std::nullopt;
}

Result<std::vector<std::string>> read_token_file(FileSystem& fs, const std::string& path) {
  MR_ASSIGN(const std::string text, fs.read_all(path));
  std::vector<std::string> tokens;
  std::string_view rest = text;
  while (!rest.empty()) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.remove_suffix(1);
    if (line.empty() || line.starts_with('#')) continue;
    if (line.size() < kTokenCharactersMin) {
      return make_error(ErrorCode::kBadValue, path + ": a token of fewer than 16 characters can be guessed",
                        "for example the output of `openssl rand -hex 32`");
    }
    tokens.emplace_back(line);
  }
  if (tokens.empty()) return make_error(ErrorCode::kBadValue, path + " holds no token", "one a line");
  return tokens;
}

}  // namespace millrace
