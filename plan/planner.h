// From the text of a job file to a JobGraph. All mistakes are reported at once.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "plan/diagnostic.h"
#include "plan/job_graph.h"
#include "plan/registry.h"

namespace millrace {

struct SpecOverrides {
  std::map<std::string, std::string> params;                                  // --param k=v
  std::vector<std::pair<std::string, std::string>> settings;                  // --set settings.parallelism=3 (any path)
  std::function<std::optional<std::string>(const std::string&)> environment;  // getenv in production
  bool print_sinks = false;                                                   // --sinks print
  bool keep_all_columns = false;  // no column pruning: tests and taps look at rows between steps
};

/// A test of the `tests:` block, as written.
struct SpecTest {
  std::string name;
  Position position;
  Located given;   // map: source id -> list of rows and control entries
  Located expect;  // map: step or sink id -> list of rows
  bool ordered = false;
  bool exact = false;
};

struct PlannedJob {
  JobGraph graph;
  std::vector<SpecTest> tests;
  std::string resolved_yaml;  // after ${…}, params and --set, secrets left as ${…} references; plans to the same graph
  Diagnostics diagnostics;    // warnings when `ok`
  bool ok = false;
};

PlannedJob plan_job(std::string_view yaml, const SpecOverrides& overrides, const PlanRegistry& registry);

/// A resolved file that has planned before, perhaps in another process. kBadPlan with all that is wrong.
Result<std::shared_ptr<const JobGraph>> plan_again(
    std::string_view resolved_yaml, const PlanRegistry& registry,
    const std::function<std::optional<std::string>(const std::string&)>& environment);

/// Chains, exchanges, state, delivery, changelog kind and watermark rule; format text, dot or json.
std::string describe_plan(const JobGraph& graph, std::string_view format);

}  // namespace millrace
