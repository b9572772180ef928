// `millrace COMMAND ARGS…`: finds the command and hands over. Exit codes: interfaces of the commands; 2 for wrong
// usage.
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "cli/audit.h"
#include "cli/doctor.h"
#include "cli/eval.h"
#include "cli/explain.h"
#include "cli/plan_command.h"
#include "cli/run.h"
#include "cli/schema.h"
#include "cli/sink_command.h"
#include "cli/test_command.h"
#include "cli/usage.h"
#include "cli/validate.h"
#include "cli/version.h"
#include "cli/wiring.h"
#include "core/nearest.h"

namespace millrace {
namespace {

struct Command {
  std::string_view name;
  int (*run)(const std::vector<std::string>& args, const Registry& registry);
  std::string_view help;
  std::string_view usage;
};

constexpr Command kCommands[] = {
    {"demo", command_demo, "a job on generated data, until Ctrl-C", kDemoUsage},
    {"run", command_run, "run a job file in this process", kRunUsage},
    {"validate", command_validate, "every mistake of a job file, with a caret and a hint", kValidateUsage},
    {"plan", command_plan, "operators, chains, exchanges, state and delivery of a job file", kPlanUsage},
    {"test", command_test, "the tests: block of a job file, in virtual time", kTestUsage},
    {"audit", command_audit, "the output of a job's exactly-once sinks against its commit markers", kAuditUsage},
    {"sink", command_sink, "rows that wait for their target: show them, skip refused ones", kSinkUsage},
    {"doctor", command_doctor, "why a running job has no output", kDoctorUsage},
    {"eval", [](const std::vector<std::string>& args, const Registry&) { return command_eval(args); },
     "one expression, or one a line with --json", kEvalUsage},
    {"schema", command_schema, "the JSON Schema of the job file, for editors", kSchemaUsage},
    {"explain", command_explain, "what an error code means and what to do", kExplainUsage},
    {"version", command_version, "version and build", kVersionUsage},
};

void print_help(std::FILE* to) {
  std::fputs("usage: millrace COMMAND [ARGS]\n\n", to);
  for (const Command& command : kCommands) {
    std::fprintf(to, "  %-10s %s\n", std::string(command.name).c_str(), std::string(command.help).c_str());
  }
}

void print_usage(const Command& command) {
  std::printf("%s\n\nusage: %s\n", std::string(command.help).c_str(), std::string(command.usage).c_str());
}

int dispatch(const std::string& name, const std::vector<std::string>& args) {
  for (const Command& command : kCommands) {
    if (command.name != name) continue;
    if (!args.empty() && (args[0] == "--help" || args[0] == "-h")) {
      print_usage(command);
      return 0;
    }
    Registry registry;
    register_everything(registry);
    return command.run(args, registry);
  }
  std::vector<std::string_view> names;
  for (const Command& command : kCommands) names.push_back(command.name);
  const std::string nearest = nearest_name(name, names);
  std::fprintf(stderr, "millrace: unknown command `%s`%s\n", name.c_str(),
               nearest.empty() ? "" : ("; did you mean `" + nearest + "`?").c_str());
  print_help(stderr);
  return 2;
}

}  // namespace
}  // namespace millrace

int main(int argc, char** argv) {
  if (argc < 2) {
    millrace::print_help(stderr);
    return 2;
  }
  const std::string name = argv[1];
  if (name == "help" || name == "--help" || name == "-h") {
    millrace::print_help(stdout);
    return 0;
  }
  return millrace::dispatch(name == "--version" ? "version" : name, std::vector<std::string>(argv + 2, argv + argc));
}
