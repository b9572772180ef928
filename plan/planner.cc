#include "plan/planner.h"

#include <fmt/format.h>

#include <algorithm>

#include "plan/option_reader.h"
#include "plan/spec/column_use.h"
#include "plan/spec/fields.h"
#include "plan/spec/overrides.h"
#include "plan/spec/params.h"
#include "plan/spec/partial_steps.h"
#include "plan/spec/settings.h"
#include "plan/spec/sinks.h"
#include "plan/spec/sources.h"
#include "plan/spec/spec_context.h"
#include "plan/spec/steps.h"
#include "plan/spec/tests_block.h"
#include "plan/yaml_reader.h"
#include "plan/yaml_writer.h"

namespace millrace {

namespace {

constexpr int64_t kJobFileVersion = 1;
constexpr size_t kJobNameLengthMax = 100;

/// The name is a directory's name.
bool job_name_ok(std::string_view name) {
  if (name.empty() || name.size() > kJobNameLengthMax || name.front() == '.') return false;
  return std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
  });
}

class JobPlanner {
 public:
  JobPlanner(Located root, const SpecOverrides& overrides, const PlanRegistry& registry, PlannedJob& job)
      : root_(std::move(root)), job_(job), context_(registry, overrides, job.diagnostics) {
    context_.substitutions.environment = overrides.environment;
  }

  void run() {
    for (const auto& [path, value] : context_.overrides.settings) set_path(root_, path, value, context_.diagnostics);
    if (context_.overrides.print_sinks) replace_sinks_by_print(root_);
    read_params(context_, find_mutable(root_, "params"));
    original_ = root_;
    for (Located::Entry& entry : root_.entries) {
      if (entry.key != "params") interpolate(entry.value, context_.substitutions, context_.diagnostics);
    }
    const OptionValues top = read_options(root_, job_fields(), "the job file", context_.diagnostics);
    read_head(top);
    read_settings(context_, root_.find("settings"));
    declare_names();
    if (const Located* sources = section("sources", Located::Kind::kMap)) read_sources(context_, *sources);
    if (const Located* steps = section("steps", Located::Kind::kList)) read_steps(context_, *steps);
    if (const Located* sinks = section("sinks", Located::Kind::kMap)) read_sinks(context_, *sinks);
    job_.tests = read_tests(context_, root_.find("tests"));
    warn_about_unread_outputs();
    finish();
  }

 private:
  void read_head(const OptionValues& top) {
    if (top.get("version").set && top.has("version") && top.integer("version", kJobFileVersion) != kJobFileVersion) {
      context_.diagnostics.error(ErrorCode::kUnsupportedVersion, text_position(top.located("version")),
                                 fmt::format("this build reads `version: {}`", kJobFileVersion), {},
                                 text_length(top.located("version")));
    }
    context_.graph.name = top.text("name");
    if (top.get("name").set && !job_name_ok(context_.graph.name)) {
      context_.diagnostics.error(ErrorCode::kBadValue, text_position(top.located("name")),
                                 fmt::format("`{}` cannot be a job's name", context_.graph.name),
                                 "letters, digits, `.`, `_` and `-`, at most 100, not starting with `.`",
                                 text_length(top.located("name")));
    }
  }

  /// A part of the file that has the right shape; parts with another one are reported, absent ones by their descriptor.
  const Located* section(std::string_view name, Located::Kind kind) {
    const Located* part = root_.find(name);
    if (part == nullptr) return nullptr;
    const bool empty = part->kind == Located::Kind::kNull || (part->items.empty() && part->entries.empty());
    if (part->kind == kind && !empty) return part;
    if (name == "steps" && empty && (part->kind == kind || part->kind == Located::Kind::kNull)) return nullptr;
    const std::string_view wanted = kind == Located::Kind::kMap ? "a mapping of ids" : "a list";
    context_.diagnostics.error(ErrorCode::kWrongShape, part->position,
                               empty ? fmt::format("`{}` is empty", name)
                                     : fmt::format("`{}` needs {}, not {}", name, wanted, describe_kind(*part)));
    return nullptr;
  }

  void declare_names() {
    for (std::string_view part : {"sources", "steps", "sinks"}) {
      const Located* found = root_.find(part);
      if (found == nullptr) continue;
      for (const Located::Entry& entry : found->entries) declare_name(context_, entry.key, entry.key_position);
      for (size_t i = 0; i < found->items.size(); ++i) {
        const Located* id = found->items[i].find("id");
        declare_name(context_, step_id(context_, found->items[i], i),
                     id != nullptr ? text_position(*id) : found->items[i].position);
      }
    }
  }

  void warn_about_unread_outputs() {
    if (context_.diagnostics.has_errors()) return;  // readers may be among the mistakes
    const std::vector<Node>& nodes = context_.graph.nodes;
    std::vector<std::vector<bool>> read;
    for (const Node& node : nodes) read.emplace_back(node.outputs.size(), false);
    for (const Node& node : nodes) {
      for (const NodeInput& input : node.inputs) read[input.node][input.port] = true;
    }
    for (size_t i = 0; i < nodes.size(); ++i) {
      const int length = static_cast<int>(nodes[i].id.size());
      for (size_t port = 0; port < nodes[i].outputs.size(); ++port) {
        const std::string& name = nodes[i].outputs[port].name;
        if (read[i][port]) continue;
        if (name.empty() && nodes[i].kind == NodeKind::kSource) {
          context_.diagnostics.warning(ErrorCode::kLintUnusedSource, nodes[i].position,
                                       fmt::format("nothing reads the source `{}`", nodes[i].id), {}, length);
        } else if (name == "dead_letter") {
          context_.diagnostics.warning(
              ErrorCode::kLintUnreadDeadLetters, nodes[i].position,
              fmt::format("nothing reads `{}.dead_letter`: such rows are only counted", nodes[i].id),
              fmt::format("add a sink with `input: {}.dead_letter`", nodes[i].id), length);
        }
      }
    }
  }

  void finish() {
    job_.ok = !context_.diagnostics.has_errors();
    context_.diagnostics.sort();
    if (!job_.ok) return;
    if (!context_.overrides.keep_all_columns) mark_used_columns(context_);
    insert_partial_steps(context_);
    job_.resolved_yaml = write_resolved_yaml(root_, original_, context_.secrets);
    job_.graph = std::move(context_.graph);
  }

  Located root_;
  Located original_;  // before substitution, for secrets
  PlannedJob& job_;
  SpecContext context_;
};

}  // namespace

PlannedJob plan_job(std::string_view yaml, const SpecOverrides& overrides, const PlanRegistry& registry) {
  PlannedJob job;
  std::optional<Located> root = read_yaml(yaml, job.diagnostics);
  if (!root) return job;
  if (root->kind != Located::Kind::kMap) {
    job.diagnostics.error(ErrorCode::kWrongShape, root->position,
                          fmt::format("a job file is a mapping, not {}", describe_kind(*root)),
                          "it starts with `version: 1` and `name: …`");
    return job;
  }
  JobPlanner(std::move(*root), overrides, registry, job).run();
  return job;
}

Result<std::shared_ptr<const JobGraph>> plan_again(
    std::string_view resolved_yaml, const PlanRegistry& registry,
    const std::function<std::optional<std::string>(const std::string&)>& environment) {
  SpecOverrides overrides;
  overrides.environment = environment;
  PlannedJob planned = plan_job(resolved_yaml, overrides, registry);
  if (planned.ok) return std::make_shared<const JobGraph>(std::move(planned.graph));
  std::string message = "the job file does not plan any more";
  for (const Diagnostic& diagnostic : planned.diagnostics.all()) {
    if (diagnostic.severity == Severity::kError) message += ": " + diagnostic.message;
  }
  return make_error(ErrorCode::kBadPlan, std::move(message));
}

}  // namespace millrace
