#include "testing/report.h"

#include <algorithm>

#include "testing/expectation.h"

namespace millrace {
namespace {

std::string xml_escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out.push_back(c);
    }
  }
  return out;
}

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size() - 1);
    lines.emplace_back(text.substr(0, end + 1));
    text.remove_prefix(end + 1);
  }
  return lines;
}

size_t indent_of(const std::string& line) { return std::min(line.find_first_not_of(' '), line.size()); }

/// The lines [first, last) of a block whose key stands at `key_line` (from 0): everything indented deeper, list items
/// at the key's own indent included.
std::pair<size_t, size_t> block_of(const std::vector<std::string>& lines, size_t key_line) {
  const size_t indent = indent_of(lines[key_line]);
  size_t last = key_line + 1;
  while (last < lines.size()) {
    const std::string& line = lines[last];
    const size_t at = indent_of(line);
    const bool blank = at >= line.size() || line[at] == '\n';
    const bool closes = at < line.size() && (line[at] == ']' || line[at] == '}');
    const bool inside = at > indent || (at == indent && (closes || line.compare(at, 2, "- ") == 0));
    if (!blank && !inside) break;
    ++last;
  }
  return {key_line + 1, last};
}

using NamedRows = std::vector<std::pair<std::string, std::vector<std::string>>>;

const std::vector<std::string>* rows_of(const NamedRows& rows, const std::string& name) {
  const auto found = std::find_if(rows.begin(), rows.end(), [&](const auto& named) { return named.first == name; });
  return found == rows.end() ? nullptr : &found->second;
}

/// Behind the bracket that closes the one at `begin`; npos when none does.
size_t end_of_flow(std::string_view text, size_t begin) {
  int depth = 0;
  char quote = 0;
  for (size_t i = begin; i < text.size(); ++i) {
    const char c = text[i];
    if (quote != 0) {
      if (c == '\\' && quote == '"') ++i;
      if (c == quote) quote = 0;
    } else if (c == '"' || c == '\'') {
      quote = c;
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if ((c == '}' || c == ']') && --depth == 0) {
      return i + 1;
    }
  }
  return std::string_view::npos;
}

/// Replaces `{step: [rows]}` that stands at `at` in the same style.
void replace_flow(std::vector<std::string>& lines, Position at, const Located& expect, const NamedRows& rows) {
  const auto line = static_cast<size_t>(at.line - 1);
  std::string text;
  for (size_t i = line; i < lines.size(); ++i) text += lines[i];
  const auto begin = static_cast<size_t>(at.column - 1);
  const size_t end = end_of_flow(text, begin);
  if (end == std::string::npos) return;
  std::string flow = "{";
  for (const Located::Entry& entry : expect.entries) {
    const std::vector<std::string>* actual = rows_of(rows, entry.key);
    if (actual == nullptr) return;
    flow += (flow.size() > 1 ? ", " : "") + entry.key + ": [";
    for (size_t i = 0; i < actual->size(); ++i) flow += (i > 0 ? ", " : "") + (*actual)[i];
    flow += "]";
  }
  text.replace(begin, end - begin, flow + "}");
  lines.resize(line);
  lines.push_back(std::move(text));
}

bool is_flow(const std::vector<std::string>& lines, Position at) {
  if (at.line < 1 || at.column < 1 || static_cast<size_t>(at.line) > lines.size()) return false;
  const std::string& line = lines[static_cast<size_t>(at.line - 1)];
  return static_cast<size_t>(at.column) <= line.size() && line[static_cast<size_t>(at.column - 1)] == '{';
}

}  // namespace

std::string junit_report(std::string_view suite, const std::vector<TestResult>& results) {
  const auto failures = std::count_if(results.begin(), results.end(), [](const auto& r) { return !r.passed; });
  std::string xml = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"" + xml_escaped(suite) +
                    "\" tests=\"" + std::to_string(results.size()) + "\" failures=\"" + std::to_string(failures) +
                    "\">\n";
  for (const TestResult& result : results) {
    xml += "  <testcase name=\"" + xml_escaped(result.name) + "\" time=\"" + std::to_string(result.seconds) + "\"";
    if (result.passed) {
      xml += "/>\n";
    } else {
      xml += "><failure>" + xml_escaped(result.details) + "</failure></testcase>\n";
    }
  }
  return xml + "</testsuite>\n";
}

std::string update_expectations(std::string_view yaml, const std::vector<SpecTest>& tests,
                                const std::vector<TestResult>& results) {
  std::vector<std::string> lines = lines_of(yaml);
  // From the end of the file to its start, so that line numbers of blocks still to come stay right.
  for (size_t t = tests.size(); t-- > 0;) {
    const auto result =
        std::find_if(results.begin(), results.end(), [&](const auto& r) { return r.name == tests[t].name; });
    if (result == results.end() || result->passed) continue;
    if (is_flow(lines, tests[t].expect.position)) {
      replace_flow(lines, tests[t].expect.position, tests[t].expect, result->rows);
      continue;
    }
    for (size_t e = tests[t].expect.entries.size(); e-- > 0;) {
      const Located::Entry& entry = tests[t].expect.entries[e];
      const std::vector<std::string>* rows = rows_of(result->rows, entry.key);
      if (rows == nullptr || entry.key_position.line < 1) continue;
      const auto key_line = static_cast<size_t>(entry.key_position.line - 1);
      const std::string indent(indent_of(lines[key_line]), ' ');
      const auto [first, last] = block_of(lines, key_line);
      lines.erase(lines.begin() + static_cast<long>(first), lines.begin() + static_cast<long>(last));
      std::string block = indent + entry.key + ":" + (rows->empty() ? " []\n" : "\n");
      for (const std::string& row : *rows) block += indent + "  - " + row + "\n";
      lines[key_line] = block;
    }
  }
  std::string text;
  for (const std::string& line : lines) text += line;
  return text;
}

}  // namespace millrace
