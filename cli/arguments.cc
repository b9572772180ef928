#include "cli/arguments.h"

#include "core/nearest.h"

namespace millrace {

namespace {

std::string unknown_option(const std::string& name, const ArgumentRules& rules) {
  std::vector<std::string_view> known;
  for (const std::string& flag : rules.flags) known.push_back(flag);
  for (const std::string& option : rules.options) known.push_back(option);
  const std::string near = nearest_name(name, known);
  return "unknown option " + name + (near.empty() ? "" : "; did you mean " + near + "?");
}

}  // namespace

std::string Arguments::option(std::string_view name, std::string otherwise) const {
  auto found = options.find(name);
  return found == options.end() ? std::move(otherwise) : found->second.back();
}

std::vector<std::string> Arguments::all(std::string_view name) const {
  auto found = options.find(name);
  return found == options.end() ? std::vector<std::string>{} : found->second;
}

std::expected<Arguments, std::string> parse_arguments(const std::vector<std::string>& args,
                                                      const ArgumentRules& rules) {
  Arguments out;
  for (size_t i = 0; i < args.size(); ++i) {
    const std::string& word = args[i];
    if (!word.starts_with("-") || word == "-") {
      out.words.push_back(word);
      continue;
    }
    const size_t equals = word.find('=');
    const std::string name = word.substr(0, equals);
    if (rules.flags.contains(name)) {
      if (equals != std::string::npos) return std::unexpected(name + " takes no value");
      out.flags.insert(name);
    } else if (!rules.options.contains(name)) {
      return std::unexpected(unknown_option(name, rules));
    } else if (equals != std::string::npos) {
      out.options[name].push_back(word.substr(equals + 1));
    } else if (i + 1 == args.size()) {
      return std::unexpected(name + " needs a value");
    } else {
      out.options[name].push_back(args[++i]);
    }
  }
  if (out.words.size() < rules.words_min) return std::unexpected(std::string("an argument is missing"));
  if (out.words.size() > rules.words_max)
    return std::unexpected("unexpected argument `" + out.words[rules.words_max] + "`");
  return out;
}

}  // namespace millrace
