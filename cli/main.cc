#include <string>
#include <vector>

#include "cli/eval.h"

int main(int argc, char** argv) {
  std::vector<std::string> args(argv + 1, argv + argc);
  if (!args.empty() && args[0] == "eval") return millrace::command_eval({args.begin() + 1, args.end()});
  return 2;
}
