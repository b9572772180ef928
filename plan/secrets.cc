#include "plan/secrets.h"

#include "core/file_system.h"

namespace millrace {

std::optional<std::string> read_secret(const std::string& name, const EnvironmentLookup& environment) {
  std::string directory = "/run/secrets";
  if (environment) directory = environment("MILLRACE_SECRETS_DIR").value_or(directory);
  const std::string path = join_path(directory, name);
  if (name.find('/') == std::string::npos && local_file_system().exists(path)) {
    Result<std::string> text = local_file_system().read_all(path);
    if (!text) return std::nullopt;
    while (text->ends_with('\n') || text->ends_with('\r')) text->pop_back();
    return std::move(*text);
  }
  if (!environment) return std::nullopt;
  std::string variable = "MILLRACE_SECRET_";
  for (const char c : name) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    variable.push_back(!letter ? '_' : (c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c));
  }
  return environment(variable);
}

Located secret_value(std::string secret, Position position) {
  Located value;
  value.kind = Located::Kind::kScalar;
  value.position = position;
  value.text = std::move(secret);
  value.quoted = true;
  value.interpolated = true;
  return value;
}

}  // namespace millrace
