#include "cli/job_file.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "core/environment.h"
#include "core/file_system.h"
#include "plan/render_diagnostics.h"

namespace millrace {

namespace {

std::string read_standard_input() {
  std::string text;
  char buffer[65536];
  while (const size_t count = std::fread(buffer, 1, sizeof buffer, stdin)) text.append(buffer, count);
  return text;
}

std::expected<std::pair<std::string, std::string>, std::string> name_and_value(std::string_view option,
                                                                               const std::string& text) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0) {
    return std::unexpected(fmt::format("{} needs name=value, not `{}`", option, text));
  }
  return std::pair(text.substr(0, equals), text.substr(equals + 1));
}

}  // namespace

Result<JobFile> read_job_file(const std::string& path) {
  if (path == "-") return JobFile{"(standard input)", read_standard_input()};
  MR_ASSIGN(std::string text, local_file_system().read_all(path));
  return JobFile{path, std::move(text)};
}

std::expected<SpecOverrides, std::string> overrides_of(const Arguments& arguments) {
  SpecOverrides overrides;
  for (const std::string& text : arguments.all("--param")) {
    auto pair = name_and_value("--param", text);
    if (!pair) return std::unexpected(pair.error());
    overrides.params[pair->first] = pair->second;
  }
  for (const std::string& text : arguments.all("--set")) {
    auto pair = name_and_value("--set", text);
    if (!pair) return std::unexpected(pair.error());
    overrides.settings.push_back(std::move(*pair));
  }
  overrides.environment = environment_variable;
  return overrides;
}

bool color_wanted(int descriptor) {
  const char* no_color = std::getenv("NO_COLOR");
  return (no_color == nullptr || *no_color == '\0') && isatty(descriptor) != 0;
}

void print_diagnostics(const PlannedJob& job, const JobFile& file, bool lints) {
  Diagnostics shown;
  for (const Diagnostic& diagnostic : job.diagnostics.all()) {
    if (lints || diagnostic.severity == Severity::kError) shown.add(diagnostic);
  }
  std::fputs(render_text(shown, {file.path, file.text}, color_wanted(STDERR_FILENO)).c_str(), stderr);
}

std::string count_text(const Diagnostics& diagnostics) {
  const size_t errors = diagnostics.count(Severity::kError);
  const size_t warnings = diagnostics.count(Severity::kWarning);
  std::string text;
  if (errors > 0) text = fmt::format("{} error{}", errors, errors == 1 ? "" : "s");
  if (warnings > 0) {
    text += fmt::format("{}{} warning{}", text.empty() ? "" : ", ", warnings, warnings == 1 ? "" : "s");
  }
  return text;
}

int file_error(const Error& error) {
  std::fputs(fmt::format("error[{}]: {}\n", error.info().code, error.message).c_str(), stderr);
  return 2;
}

int operation_error(const Error& error) {
  std::fputs(fmt::format("error[{}]: {}\n", error.info().code, error.message).c_str(), stderr);
  if (!error.help.empty()) std::fputs(fmt::format("   = help: {}\n", error.help).c_str(), stderr);
  if (error.code == ErrorCode::kUnreachable) return 3;
  return error.info().code.starts_with("E04") ? 4 : 1;
}

int usage_error(std::string_view command, std::string_view message, std::string_view usage) {
  std::fputs(fmt::format("millrace {}: {}\nusage: {}\n", command, message, usage).c_str(), stderr);
  return 2;
}

}  // namespace millrace
