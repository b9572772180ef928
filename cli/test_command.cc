#include "cli/test_command.h"

#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <optional>

#include "cli/job_file.h"
#include "cli/usage.h"
#include "core/environment.h"
#include "core/file_system.h"
#include "plan/planner.h"
#include "plan/render_diagnostics.h"
#include "testing/job_test.h"
#include "testing/report.h"

namespace millrace {
namespace {

struct TestArguments {
  std::string file;
  std::string filter;
  std::string junit;
  bool update = false;
  std::optional<uint64_t> chaos;
  SpecOverrides overrides;
};

bool split_pair(const std::string& text, std::pair<std::string, std::string>& pair) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0) return false;
  pair = {text.substr(0, equals), text.substr(equals + 1)};
  return true;
}

bool take_valued(const std::string& option, const std::string& value, TestArguments& out) {
  std::pair<std::string, std::string> pair;
  if (option == "--filter") {
    out.filter = value;
  } else if (option == "--junit") {
    out.junit = value;
  } else if (option == "--chaos") {
    uint64_t seed = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), seed);
    if (error != std::errc() || end != value.data() + value.size()) return false;
    out.chaos = seed;
  } else if (option == "--param") {
    if (!split_pair(value, pair)) return false;
    out.overrides.params.insert(pair);
  } else if (option == "--set") {
    if (!split_pair(value, pair)) return false;
    out.overrides.settings.push_back(pair);
  } else {
    return false;
  }
  return true;
}

bool parse_arguments(const std::vector<std::string>& args, TestArguments& out) {
  for (size_t i = 0; i < args.size(); ++i) {
    if (args[i] == "--update") {
      out.update = true;
    } else if (args[i].starts_with("--")) {
      if (i + 1 >= args.size() || !take_valued(args[i], args[i + 1], out)) return false;
      ++i;
    } else if (out.file.empty()) {
      out.file = args[i];
    } else {
      return false;
    }
  }
  return !out.file.empty();
}

void print_result(const TestResult& result) {
  std::printf("%s %s (%.1f ms%s)\n", result.passed ? "ok    " : "FAILED", result.name.c_str(), result.seconds * 1000,
              result.disturbances > 0 ? (", " + std::to_string(result.disturbances) + " disturbances").c_str() : "");
  std::fputs(result.details.c_str(), stdout);
}

}  // namespace

int command_test(const std::vector<std::string>& args, const Registry& registry) {
  TestArguments arguments;
  if (!parse_arguments(args, arguments)) {
    return usage_error("test", "the arguments are not understood", kTestUsage);
  }
  const Result<std::string> yaml = local_file_system().read_all(arguments.file);
  if (!yaml) {
    std::fprintf(stderr, "%s\n", yaml.error().to_string().c_str());
    return 2;
  }
  arguments.overrides.keep_all_columns = true;
  arguments.overrides.environment = environment_variable;
  const PlannedJob job = plan_job(*yaml, arguments.overrides, registry.plan);
  if (!job.ok) {
    std::fputs(render_text(job.diagnostics, {arguments.file, *yaml}, isatty(STDERR_FILENO) != 0).c_str(), stderr);
    return 2;
  }
  std::vector<TestResult> results;
  size_t passed = 0;
  for (const SpecTest& test : job.tests) {
    if (!arguments.filter.empty() && test.name.find(arguments.filter) == std::string::npos) continue;
    results.push_back(run_job_test(job, test, registry, arguments.chaos));
    print_result(results.back());
    passed += results.back().passed ? 1 : 0;
  }
  if (!arguments.junit.empty()) {
    const Status written =
        write_file_durably(local_file_system(), arguments.junit, junit_report(arguments.file, results));
    if (!written) std::fprintf(stderr, "%s\n", written.error().to_string().c_str());
  }
  if (arguments.update && !arguments.chaos && passed < results.size()) {  // chaos is no source of truth
    const std::string updated = update_expectations(*yaml, job.tests, results);
    const Status written = write_file_durably(local_file_system(), arguments.file, updated);
    if (!written) std::fprintf(stderr, "%s\n", written.error().to_string().c_str());
    std::printf("%s: the expectations of %zu tests were written anew\n", arguments.file.c_str(),
                results.size() - passed);
  }
  if (results.empty())
    std::printf("%s has no tests%s\n", arguments.file.c_str(), arguments.filter.empty() ? "" : " of that name");
  std::printf("%zu passed, %zu failed\n", passed, results.size() - passed);
  return passed == results.size() ? 0 : 1;
}

}  // namespace millrace
