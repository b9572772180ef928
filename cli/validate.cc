#include "cli/validate.h"

#include <fmt/format.h>

#include <cstdio>

#include "cli/job_file.h"
#include "cli/usage.h"
#include "plan/render_diagnostics.h"

namespace millrace {

namespace {

/// Asks the outside systems of a valid job; answers the exit code.
int try_connections(PlannedJob& job, const Registry& registry) {
  int exit_code = 0;
  auto ask = [&](const Node& node, const ConnectorDescriptor& connector, const OptionValues& options) {
    if (!connector.connect) return;
    const Status answer = connector.connect(options);
    if (answer) return;
    const Error& error = answer.error();
    const int failed = error.code == ErrorCode::kUnreachable ? 3 : 1;
    exit_code = exit_code == 0 ? failed : std::min(exit_code, failed);
    job.diagnostics.error(error.code, node.position, fmt::format("`{}`: {}", node.id, error.message), error.help,
                          static_cast<int>(node.id.size()));
  };
  for (const Node& node : job.graph.nodes) {
    if (node.source) ask(node, registry.plan.sources.find(node.type)->second, node.source->options);
    if (node.sink) ask(node, registry.plan.sinks.find(node.type)->second, node.sink->options);
  }
  return exit_code;
}

void show(const PlannedJob& job, const JobFile& file, const std::string& format, bool good) {
  const DiagnosticSource source{file.path, file.text};
  if (format == "json") {
    std::fputs(render_json(job.diagnostics, source).c_str(), stdout);
  } else if (format == "sarif") {
    std::fputs(render_sarif(job.diagnostics, source).c_str(), stdout);
  } else if (format == "github") {
    std::fputs(render_github(job.diagnostics, source).c_str(), stdout);
  } else {
    print_diagnostics(job, file);
    const std::string counts = count_text(job.diagnostics);
    if (good) {
      std::fputs(fmt::format("{} is valid{}\n", file.path, counts.empty() ? "" : " (" + counts + ")").c_str(), stdout);
    } else {
      std::fputs(fmt::format("\n{}: {}\n", file.path, counts).c_str(), stderr);
    }
  }
}

}  // namespace

int command_validate(const std::vector<std::string>& args, const Registry& registry) {
  const ArgumentRules rules{{"--connect", "--deny-warnings"}, {"--format", "--param", "--set"}, 1, 1};
  const auto arguments = parse_arguments(args, rules);
  if (!arguments) return usage_error("validate", arguments.error(), kValidateUsage);
  const std::string format = arguments->option("--format", "text");
  if (format != "text" && format != "json" && format != "sarif" && format != "github") {
    return usage_error("validate", "there is no format `" + format + "`", kValidateUsage);
  }
  const auto overrides = overrides_of(*arguments);
  if (!overrides) return usage_error("validate", overrides.error(), kValidateUsage);
  const Result<JobFile> file = read_job_file(arguments->words[0]);
  if (!file) return file_error(file.error());
  PlannedJob job = plan_job(file->text, *overrides, registry.plan);
  int exit_code = job.ok ? 0 : 2;
  if (job.ok && arguments->flag("--connect")) exit_code = try_connections(job, registry);
  if (exit_code == 0 && arguments->flag("--deny-warnings") && job.diagnostics.count(Severity::kWarning) > 0)
    exit_code = 2;
  show(job, *file, format, exit_code == 0);
  return exit_code;
}

}  // namespace millrace
