#include "cli/plan_command.h"

#include <fmt/format.h>

#include <cstdio>
#include <set>

#include "cli/job_file.h"
#include "cli/usage.h"
#include "core/storage.h"
#include "state/checkpoint_store.h"
#include "state/snapshot_file.h"

namespace millrace {

namespace {

struct Comparison {
  std::string text;
  bool fits = true;
};

/// What a start of this job from the checkpoint would do with the state of each step.
Result<Comparison> compare_with_checkpoint(const JobGraph& graph, const std::string& path) {
  MR_ASSIGN(const CheckpointMetadata metadata, read_checkpoint(storage(), path));
  Comparison out;
  out.text = fmt::format("against checkpoint {} of job {}\n", metadata.checkpoint_id, metadata.job_name);
  if (metadata.max_parallelism != graph.settings.max_parallelism) {
    out.text +=
        fmt::format("  impossible: its max_parallelism is {}, the job's is {}; it is fixed for the life of the state\n",
                    metadata.max_parallelism, graph.settings.max_parallelism);
    out.fits = false;
    return out;
  }
  MR_ASSIGN(const auto snapshots,
            RestoredSnapshots::open(storage(), parent_path(path), metadata.handles, metadata.max_parallelism));
  std::set<std::string> restored;
  for (const SnapshotStateInfo& info : snapshots->states()) {
    const std::string& step = info.state.step;
    const Node* node = graph.find(step);
    for (const Node& one : graph.nodes) {
      if (node == nullptr && one.was == step) node = &one;
    }
    if (node == nullptr) {
      out.text +=
          fmt::format("  dropped   {}: {} ({} rows); the job has no such step\n", step, info.state.name, info.rows);
      out.fits = false;
      continue;
    }
    restored.insert(node->id);
    out.text += fmt::format("  restored  {}: {} ({} rows, {} bytes){}\n", node->id, info.state.name, info.rows,
                            info.bytes, node->id == step ? "" : ", held as " + step);
  }
  for (const Node& node : graph.nodes) {
    if ((node.stateful || node.kind == NodeKind::kSource) && !restored.contains(node.id)) {
      out.text += fmt::format("  new       {}: starts without state\n", node.id);
    }
  }
  if (!out.fits) out.text += "  a start needs --allow-dropped-state\n";
  return out;
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
  std::fputs(describe_plan(job.graph, format).c_str(), stdout);
  const std::string checkpoint = arguments->option("--against");
  if (checkpoint.empty()) return 0;
  const Result<Comparison> comparison = compare_with_checkpoint(job.graph, checkpoint);
  if (!comparison) {
    std::fputs(fmt::format("error[{}]: {}\n", comparison.error().info().code, comparison.error().message).c_str(),
               stderr);
    return 4;
  }
  std::fputs(fmt::format("\n{}", comparison->text).c_str(), format == "text" ? stdout : stderr);
  return comparison->fits ? 0 : 4;
}

}  // namespace millrace
