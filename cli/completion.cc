#include "cli/completion.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "cli/arguments.h"
#include "cli/command_table.h"
#include "cli/job_file.h"
#include "cli/usage.h"

namespace millrace {

namespace {

std::string words_of(const Command& command) {
  std::string words = "--help";
  for (const std::string& option : options_of_usage(command.usage)) words += " " + option;
  return words;
}

std::string command_names() {
  std::string names;
  for (const Command& command : command_table()) names += fmt::format("{}{}", names.empty() ? "" : " ", command.name);
  return names;
}

/// Also zsh's, through its bashcompinit.
std::string bash_script() {
  std::string out = "# source <(millrace completion bash)\n_millrace() {\n";
  out += "  local word=\"${COMP_WORDS[COMP_CWORD]}\" words=\"\"\n";
  out += fmt::format("  if [ \"$COMP_CWORD\" -eq 1 ]; then words=\"{}\"; else\n", command_names());
  out += "    case \"${COMP_WORDS[1]}\" in\n";
  for (const Command& command : command_table()) {
    out += fmt::format("      {}) words=\"{}\" ;;\n", command.name, words_of(command));
  }
  out += "    esac\n  fi\n";
  out += "  COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n";
  out += "  if [ ${#COMPREPLY[@]} -eq 0 ]; then COMPREPLY=($(compgen -f -- \"$word\")); fi\n}\n";
  out += "complete -o filenames -F _millrace millrace\n";
  return out;
}

std::string zsh_script() {
  return "# source <(millrace completion zsh)\nautoload -U +X compinit bashcompinit && compinit && bashcompinit\n" +
         bash_script();
}

std::string fish_text(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return "'" + out + "'";
}

std::string fish_script() {
  std::string out = "# millrace completion fish | source\n";
  for (const Command& command : command_table()) {
    out += fmt::format("complete -c millrace -f -n __fish_use_subcommand -a {} -d {}\n", command.name,
                       fish_text(command.help));
    for (const std::string& option : options_of_usage(command.usage)) {
      out += fmt::format("complete -c millrace -n '__fish_seen_subcommand_from {}' -l {}\n", command.name,
                         option.substr(2));
    }
  }
  return out;
}

}  // namespace

std::vector<std::string> options_of_usage(std::string_view usage) {
  constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz-";
  std::vector<std::string> out;
  for (size_t at = 0; (at = usage.find("--", at)) != std::string_view::npos;) {
    const size_t end = std::min(usage.find_first_not_of(kLetters, at), usage.size());
    std::string option(usage.substr(at, end - at));
    if (option.size() > 2 && std::ranges::find(out, option) == out.end()) out.push_back(std::move(option));
    at = end;
  }
  return out;
}

std::string completion_script(std::string_view shell) {
  if (shell == "bash") return bash_script();
  if (shell == "zsh") return zsh_script();
  return shell == "fish" ? fish_script() : "";
}

int command_completion(const std::vector<std::string>& args, const Registry& /*registry*/) {
  const auto parsed = parse_arguments(args, {{}, {}, 1, 1});
  if (!parsed) return usage_error("completion", parsed.error(), kCompletionUsage);
  const std::string script = completion_script(parsed->words[0]);
  if (script.empty())
    return usage_error("completion", "there is no shell `" + parsed->words[0] + "`", kCompletionUsage);
  std::fputs(script.c_str(), stdout);
  return 0;
}

}  // namespace millrace
