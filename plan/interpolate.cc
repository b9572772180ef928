#include "plan/interpolate.h"

#include <fmt/format.h>

#include "core/nearest.h"

namespace millrace {

namespace {

constexpr std::string_view kParamsPrefix = "params.";

bool variable_letter(char c, bool first) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (!first && c >= '0' && c <= '9');
}

bool variable_name(std::string_view name) {
  for (size_t i = 0; i < name.size(); ++i) {
    if (!variable_letter(name[i], i == 0)) return false;
  }
  return !name.empty();
}

class Interpolator {
 public:
  Interpolator(const Located& value, const Substitutions& substitutions, Diagnostics& diagnostics)
      : value_(value), substitutions_(substitutions), diagnostics_(diagnostics) {}

  /// `from` = where `text` begins in the value, for positions.
  std::string expand(std::string_view text, size_t from) {
    std::string out;
    for (size_t i = 0; i < text.size(); ++i) {
      if (text[i] != '$' || i + 1 == text.size()) {
        out.push_back(text[i]);
      } else if (text[i + 1] == '$') {
        out.push_back('$');
        ++i;
      } else if (text[i + 1] == '{') {
        const size_t end = closing_brace(text, i + 2);
        if (end == std::string_view::npos) {
          report(ErrorCode::kBadValue, from + i, 2, "`${` is not closed by `}`", "write `$$` for a dollar");
          return out;
        }
        out += reference(text.substr(i + 2, end - i - 2), from + i);
        i = end;
      } else {
        out.push_back('$');
      }
    }
    return out;
  }

 private:
  static size_t closing_brace(std::string_view text, size_t i) {
    for (int depth = 1; i < text.size(); ++i) {
      if (text[i] == '$' && i + 1 < text.size() && text[i + 1] == '{') {
        ++depth;
        ++i;
      } else if (text[i] == '}' && --depth == 0) {
        return i;
      }
    }
    return std::string_view::npos;
  }

  /// `inner` stands between the braces; `at` is the offset of its `$`.
  std::string reference(std::string_view inner, size_t at) {
    const size_t colon = inner.find(':');
    const std::string name(inner.substr(0, colon));
    const std::string_view rest = colon == std::string_view::npos ? std::string_view() : inner.substr(colon);
    const bool has_default = rest.starts_with(":-");
    const bool has_message = rest.starts_with(":?");
    const bool is_param = name.starts_with(kParamsPrefix);
    const int length = static_cast<int>(inner.size()) + 3;
    if (!variable_name(is_param ? std::string_view(name).substr(kParamsPrefix.size()) : std::string_view(name)) ||
        (!rest.empty() && !has_default && !has_message)) {
      report(ErrorCode::kBadValue, at, length, fmt::format("`${{{}}}` is not understood", inner),
             "write ${NAME}, ${NAME:-default}, ${NAME:?message} or ${params.name}; `$$` is a dollar");
      return {};
    }
    std::optional<std::string> value = is_param ? parameter(name.substr(kParamsPrefix.size())) : variable(name);
    if (value && (!value->empty() || rest.empty())) return *value;
    if (has_default) return expand(rest.substr(2), at + 2 + colon + 2);
    if (is_param) {
      unknown_parameter(name.substr(kParamsPrefix.size()), at, length);
    } else if (has_message) {
      report(ErrorCode::kUnknownVariable, at, length,
             fmt::format("the variable {} is not set: {}", name, rest.substr(2)));
    } else {
      report(ErrorCode::kUnknownVariable, at, length, fmt::format("the variable {} is not set", name),
             fmt::format("set it, or write ${{{}:-default}}", name));
    }
    return {};
  }

  std::optional<std::string> variable(const std::string& name) const {
    return substitutions_.environment ? substitutions_.environment(name) : std::nullopt;
  }

  std::optional<std::string> parameter(const std::string& name) const {
    auto found = substitutions_.params.find(name);
    return found == substitutions_.params.end() ? std::nullopt : std::optional(found->second);
  }

  void unknown_parameter(const std::string& name, size_t at, int length) {
    if (!substitutions_.params_known) {
      report(ErrorCode::kBadValue, at, length, "parameters cannot refer to parameters");
      return;
    }
    std::vector<std::string_view> names;
    for (const auto& [known, text] : substitutions_.params) names.push_back(known);
    const std::string near = nearest_name(name, names);
    report(ErrorCode::kUnknownVariable, at, length, fmt::format("there is no parameter `{}`", name),
           near.empty() ? "declare it under `params:`"
                        : fmt::format("a parameter with a similar name exists: `{}`", near));
  }

  void report(ErrorCode code, size_t at, int length, std::string message, std::string help = {}) {
    diagnostics_.error(code, position_in(value_, at), std::move(message), std::move(help), length);
  }

  const Located& value_;
  const Substitutions& substitutions_;
  Diagnostics& diagnostics_;
};

}  // namespace

void interpolate(Located& tree, const Substitutions& substitutions, Diagnostics& diagnostics) {
  for (Located& item : tree.items) interpolate(item, substitutions, diagnostics);
  for (Located::Entry& entry : tree.entries) interpolate(entry.value, substitutions, diagnostics);
  if (tree.kind != Located::Kind::kScalar || tree.interpolated || tree.text.find('$') == std::string::npos) return;
  std::string expanded = Interpolator(tree, substitutions, diagnostics).expand(tree.text, 0);
  if (expanded == tree.text) return;
  tree.text = std::move(expanded);
  tree.interpolated = true;
  tree.mapping = Located::Mapping::kNone;
}

std::string escape_dollars(std::string_view text) {
  std::string out;
  for (char c : text) out.append(c == '$' ? 2 : 1, c);
  return out;
}

}  // namespace millrace
