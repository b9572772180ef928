#include "cli/completion.h"

#include <catch2/catch.hpp>

#include "cli/command_table.h"

namespace millrace {

TEST_CASE("the options of a command are read from its usage, each once") {
  CHECK(options_of_usage("x a.yaml [--wait] [--param k=v] [--restore P | --fork P]\n [--param k=v] -- a-b") ==
        std::vector<std::string>{"--wait", "--param", "--restore", "--fork"});
}

TEST_CASE("every command is in the completion of every shell, and every command says how it is used") {
  for (const Command& command : command_table()) {
    INFO(command.name);
    CHECK(command.usage.find("millrace " + std::string(command.name)) != std::string_view::npos);
    for (const char* shell : {"bash", "zsh", "fish"}) {
      CHECK(completion_script(shell).find(" " + std::string(command.name)) != std::string::npos);
    }
  }
  CHECK(completion_script("tcsh").empty());
}

}  // namespace millrace
