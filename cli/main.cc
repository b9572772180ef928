// `millrace COMMAND ARGS…`: finds the command and hands over. Exit codes: interfaces of the commands; 2 for wrong
// usage.
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "cli/command_table.h"
#include "cli/s3_options.h"
#include "cli/wiring.h"
#include "core/environment.h"
#include "core/nearest.h"
#include "core/storage.h"

namespace millrace {
namespace {

void print_help(std::FILE* to) {
  std::fputs("usage: millrace COMMAND [ARGS]\n\n", to);
  for (const Command& command : command_table()) {
    std::fprintf(to, "  %-11s %s\n", std::string(command.name).c_str(), std::string(command.help).c_str());
  }
}

void print_usage(const Command& command) {
  std::printf("%s\n\nusage: %s\n", std::string(command.help).c_str(), std::string(command.usage).c_str());
}

int dispatch(const std::string& name, const std::vector<std::string>& args) {
  for (const Command& command : command_table()) {
    if (command.name != name) continue;
    if (!args.empty() && (args[0] == "--help" || args[0] == "-h")) {
      print_usage(command);
      return 0;
    }
    auto s3 = s3_settings({}, environment_variable);
    if (!s3) {
      std::fprintf(stderr, "error: %s\n", s3.error().to_string().c_str());
      return 2;
    }
    configure_s3(std::move(*s3));
    Registry registry;
    register_everything(registry);
    return command.run(args, registry);
  }
  std::vector<std::string_view> names;
  for (const Command& command : command_table()) names.push_back(command.name);
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
