#include "plan/diagnostic.h"

#include <algorithm>

namespace millrace {

namespace {

size_t diagnostic_code_points(std::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

}  // namespace

Position position_in(const Located& value, size_t offset) {
  const std::string_view before = std::string_view(value.text).substr(0, offset);
  const Position start = value.content.line > 0 ? value.content : value.position;
  switch (value.mapping) {
    case Located::Mapping::kNone:
      return value.position;
    case Located::Mapping::kLine:
      return {start.line, start.column + static_cast<int>(diagnostic_code_points(before))};
    case Located::Mapping::kSingleQuoted: {  // each quote inside was written twice
      const auto quotes = std::count(before.begin(), before.end(), '\'');
      return {start.line, start.column + static_cast<int>(diagnostic_code_points(before)) + static_cast<int>(quotes)};
    }
    case Located::Mapping::kBlock: {
      const auto lines = std::count(before.begin(), before.end(), '\n');
      const size_t line_start = before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1;
      return {start.line + static_cast<int>(lines),
              start.column + static_cast<int>(diagnostic_code_points(before.substr(line_start)))};
    }
  }
  return value.position;
}

void Diagnostics::error(ErrorCode code, Position at, std::string message, std::string help, int length) {
  all_.push_back({Severity::kError, code, std::move(message), std::move(help), at, length, {}});
}

void Diagnostics::warning(ErrorCode code, Position at, std::string message, std::string help, int length) {
  all_.push_back({Severity::kWarning, code, std::move(message), std::move(help), at, length, {}});
}

void Diagnostics::expression(const Located& text, const ExprError& error) {
  Diagnostic diagnostic{Severity::kError, error.code, error.message, error.help, text.position, 1, {}};
  if (text.mapping == Located::Mapping::kNone) {
    if (text.interpolated) diagnostic.label = "after substitution: " + text.text;
  } else {
    const size_t begin = std::min<size_t>(error.begin, text.text.size());
    const size_t end = std::clamp<size_t>(error.end, begin, text.text.size());
    std::string_view marked = std::string_view(text.text).substr(begin, end - begin);
    marked = marked.substr(0, marked.find('\n'));
    diagnostic.position = position_in(text, begin);
    diagnostic.length = std::max(1, static_cast<int>(diagnostic_code_points(marked)));
  }
  all_.push_back(std::move(diagnostic));
}

bool Diagnostics::has_errors() const {
  return std::any_of(all_.begin(), all_.end(), [](const Diagnostic& d) { return d.severity == Severity::kError; });
}

size_t Diagnostics::count(Severity severity) const {
  return static_cast<size_t>(
      std::count_if(all_.begin(), all_.end(), [&](const Diagnostic& d) { return d.severity == severity; }));
}

void Diagnostics::sort() {
  std::stable_sort(all_.begin(), all_.end(), [](const Diagnostic& a, const Diagnostic& b) {
    return std::pair(a.position.line, a.position.column) < std::pair(b.position.line, b.position.column);
  });
}

}  // namespace millrace
