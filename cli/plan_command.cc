#include "cli/plan_command.h"

#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "cli/cluster_client.h"
#include "cli/job_file.h"
#include "cli/state_plan_text.h"
#include "cli/usage.h"
#include "core/storage.h"
#include "state/checkpoint_plan.h"

namespace millrace {

namespace {

/// Adds the plan of a start from there to the job's own; 4 when such a start is refused.
int show_against(const PlannedJob& job, const std::string& path, const std::string& format) {
  const auto metadata = find_checkpoint(storage(), path);
  const auto plan = metadata ? plan_against(storage(), *metadata, job.graph)
                             : Result<StatePlan>(std::unexpected(metadata.error()));
  if (!plan) {
    const Error& error = plan.error();
    std::fputs(fmt::format("error[{}]: {}\n", error.info().code, error.message).c_str(), stderr);
    if (!error.help.empty()) std::fputs(fmt::format("   = help: {}\n", error.help).c_str(), stderr);
    return kExitRefusedByState;
  }
  if (format == "json") {
    auto json = nlohmann::ordered_json::parse(describe_plan(job.graph, format), nullptr, false);
    json["against"] = nlohmann::ordered_json::parse(state_plan_json(*plan, *metadata), nullptr, false);
    std::fputs((json.dump(2) + "\n").c_str(), stdout);
  } else {
    std::fputs(describe_plan(job.graph, format).c_str(), stdout);
    std::fputs(("\n" + state_plan_text(*plan, *metadata)).c_str(), format == "text" ? stdout : stderr);
  }
  return check_state_plan(*plan, false) ? kExitDone : kExitRefusedByState;
}

}  // namespace

int command_plan(const std::vector<std::string>& args, const Registry& registry) {
  const auto arguments = parse_arguments(args, {{}, {"--against", "--format", "--param", "--set"}, 1, 1});
  if (!arguments) return usage_error("plan", arguments.error(), kPlanUsage);
  const std::string format = arguments->option("--format", "text");
  if (format != "text" && format != "dot" && format != "json") {
    return usage_error("plan", "there is no format `" + format + "`", kPlanUsage);
  }
  const auto overrides = overrides_of(*arguments);
  if (!overrides) return usage_error("plan", overrides.error(), kPlanUsage);
  const Result<JobFile> file = read_job_file(arguments->words[0]);
  if (!file) return file_error(file.error());
  const PlannedJob job = plan_job(file->text, *overrides, registry.plan);
  print_diagnostics(job, *file, false);
  if (!job.ok) return 2;
  const std::string checkpoint = arguments->option("--against");
  if (!checkpoint.empty()) return show_against(job, checkpoint, format);
  std::fputs(describe_plan(job.graph, format).c_str(), stdout);
  return kExitDone;
}

}  // namespace millrace
