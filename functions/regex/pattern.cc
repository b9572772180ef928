#include "functions/regex/pattern.h"

#include <fmt/format.h>
#include <re2/re2.h>

namespace millrace {

struct RegexPattern::Impl {
  std::unique_ptr<re2::RE2> regex;
};

RegexPattern::RegexPattern() : impl_(std::make_unique<Impl>()) {}
RegexPattern::~RegexPattern() = default;

namespace {

std::unexpected<Error> unsupported_pattern(std::string_view pattern, std::string_view what) {
  return make_error(ErrorCode::kNotSupportedYet,
                    fmt::format("the regular expression '{}' uses {}, which is not supported", pattern, what),
                    "regular expressions run in linear time: no look-around and no back references");
}

/// Java's syntax in RE2's; an error where both would mean different things.
Result<std::string> translate_java(std::string_view pattern) {
  std::string out;
  bool in_class = false;
  for (size_t i = 0; i < pattern.size(); ++i) {
    char c = pattern[i];
    if (c == '\\' && i + 1 < pattern.size()) {
      char next = pattern[++i];
      if (next >= '1' && next <= '9') return unsupported_pattern(pattern, "a back reference");
      if (next == 'k') return unsupported_pattern(pattern, "a back reference");
      if (std::string_view("GZRXhHvVNpP").find(next) != std::string_view::npos && next != 'p' && next != 'P') {
        return unsupported_pattern(pattern, fmt::format("`\\{}`", next));
      }
      if (next == 'e') {
        out += "\\x1b";
      } else if (next == 'u' && i + 4 < pattern.size()) {
        out += fmt::format("\\x{{{}}}", pattern.substr(i + 1, 4));
        i += 4;
      } else if (next == 's') {
        out += in_class ? "\\s\\x0b" : "[\\s\\x0b]";  // Java counts the vertical tab
      } else {
        out += c;
        out += next;
      }
      continue;
    }
    if (in_class) {
      if (c == ']') in_class = false;
      if (c == '[') return unsupported_pattern(pattern, "a class inside a class");
      if (c == '&' && i + 1 < pattern.size() && pattern[i + 1] == '&') {
        return unsupported_pattern(pattern, "an intersection of classes");
      }
    } else if (c == '[') {
      in_class = true;
      out += c;
      if (i + 1 < pattern.size() && pattern[i + 1] == '^') out += pattern[++i];
      if (i + 1 < pattern.size() && pattern[i + 1] == ']')
        return unsupported_pattern(pattern, "a class that starts with `]`");
      continue;
    } else if (c == '(' && pattern.substr(i).starts_with("(?<") && i + 3 < pattern.size() && pattern[i + 3] != '=' &&
               pattern[i + 3] != '!') {
      out += "(?P<";
      i += 2;
      continue;
    }
    out += c;
  }
  return out;
}

}  // namespace

Result<RegexPatternPtr> RegexPattern::compile(std::string_view pattern) {
  MR_ASSIGN(std::string translated, translate_java(pattern));
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(16 << 20);
  auto regex = std::make_unique<re2::RE2>(translated, options);
  std::shared_ptr<RegexPattern> made(new RegexPattern());
  if (!regex->ok()) {
    switch (regex->error_code()) {
      case re2::RE2::ErrorBadPerlOp:
        return unsupported_pattern(pattern, "look-around or a Perl extension");
      case re2::RE2::ErrorBadEscape:
        return unsupported_pattern(pattern, "an escape that is not known here");
      case re2::RE2::ErrorRepeatOp:
        return unsupported_pattern(pattern, "a possessive quantifier");
      case re2::RE2::ErrorRepeatSize:
        return unsupported_pattern(pattern, "a repetition of more than 1000");
      case re2::RE2::ErrorPatternTooLarge:
        return unsupported_pattern(pattern, "too much memory");
      case re2::RE2::ErrorBadNamedCapture:
        return unsupported_pattern(pattern, "a named group of this form");
      case re2::RE2::ErrorBadCharRange:
        return unsupported_pattern(pattern, "a character range of this form");
      default:
        return RegexPatternPtr(made);  // Java refuses it too
    }
  }
  made->impl_->regex = std::move(regex);
  made->state_ = State::kValid;
  return RegexPatternPtr(made);
}

Result<RegexPatternPtr> RegexPattern::compile_similar(std::string_view pattern, std::string_view escape) {
  std::string out;
  bool in_class = false;
  for (size_t i = 0; i < pattern.size(); ++i) {
    char c = pattern[i];
    if (!escape.empty() && c == escape[0]) {
      if (++i >= pattern.size())
        return make_error(ErrorCode::kTypeMismatch, "SIMILAR TO ends with its escape character");
      out += re2::RE2::QuoteMeta(std::string(1, pattern[i]));
    } else if (in_class) {
      if (c == ']') in_class = false;
      out += c == '\\' ? "\\\\" : std::string(1, c);
    } else if (c == '[') {
      if (pattern.substr(i).starts_with("[:")) return unsupported_pattern(pattern, "a named class");
      in_class = true;
      out += c;
    } else if (c == '%') {
      out += "(?s:.*)";
    } else if (c == '_') {
      out += "(?s:.)";
    } else if (std::string_view("|*+?{}()").find(c) != std::string_view::npos) {
      out += c;
    } else if (std::string_view(".^$\\]").find(c) != std::string_view::npos) {
      out += '\\';
      out += c;
    } else {
      out += c;
    }
  }
  re2::RE2::Options options;
  options.set_log_errors(false);
  auto regex = std::make_unique<re2::RE2>(out, options);
  if (!regex->ok()) {
    return make_error(ErrorCode::kTypeMismatch,
                      fmt::format("'{}' is not a pattern of SIMILAR TO: {}", pattern, regex->error()));
  }
  std::shared_ptr<RegexPattern> made(new RegexPattern());
  made->impl_->regex = std::move(regex);
  made->state_ = State::kValid;
  return RegexPatternPtr(made);
}

int RegexPattern::groups() const { return valid() ? impl_->regex->NumberOfCapturingGroups() : 0; }

bool RegexPattern::find(std::string_view text, size_t from, std::vector<std::string_view>& groups) const {
  if (!valid() || from > text.size()) return false;
  std::vector<re2::StringPiece> found(static_cast<size_t>(this->groups()) + 1);
  re2::StringPiece whole(text.data(), text.size());
  if (!impl_->regex->Match(whole, from, text.size(), re2::RE2::UNANCHORED, found.data(),
                           static_cast<int>(found.size()))) {
    return false;
  }
  groups.clear();
  for (const re2::StringPiece& piece : found) groups.emplace_back(piece.data(), piece.size());
  return true;
}

bool RegexPattern::contains(std::string_view text) const {
  return valid() && re2::RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), *impl_->regex);
}

bool RegexPattern::matches_whole(std::string_view text) const {
  return valid() && re2::RE2::FullMatch(re2::StringPiece(text.data(), text.size()), *impl_->regex);
}

}  // namespace millrace
