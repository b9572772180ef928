// The words behind a command: `--flag`, `--option value` or `--option=value`, and the rest in order.
#pragma once

#include <expected>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace millrace {

struct ArgumentRules {
  std::set<std::string, std::less<>> flags;    // "--connect"
  std::set<std::string, std::less<>> options;  // "--format": takes a value, may be repeated
  size_t words_min = 0;
  size_t words_max = 0;
};

struct Arguments {
  std::vector<std::string> words;
  std::set<std::string, std::less<>> flags;
  std::map<std::string, std::vector<std::string>, std::less<>> options;

  [[nodiscard]] bool flag(std::string_view name) const { return flags.contains(name); }
  /// The last value, or `otherwise`.
  [[nodiscard]] std::string option(std::string_view name, std::string otherwise = {}) const;
  [[nodiscard]] std::vector<std::string> all(std::string_view name) const;
};

/// The error is a sentence about what is wrong.
std::expected<Arguments, std::string> parse_arguments(const std::vector<std::string>& args, const ArgumentRules& rules);

}  // namespace millrace
