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
    const bool inside = at > indent || (at == indent && line.compare(at, 2, "- ") == 0);
    if (!blank && !inside) break;
    ++last;
  }
  return {key_line + 1, last};
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
    for (size_t e = tests[t].expect.entries.size(); e-- > 0;) {
      const Located::Entry& entry = tests[t].expect.entries[e];
      const auto rows = std::find_if(result->rows.begin(), result->rows.end(),
                                     [&](const auto& named) { return named.first == entry.key; });
      if (rows == result->rows.end() || entry.key_position.line < 1) continue;
      const auto key_line = static_cast<size_t>(entry.key_position.line - 1);
      const std::string indent(indent_of(lines[key_line]), ' ');
      const auto [first, last] = block_of(lines, key_line);
      lines.erase(lines.begin() + static_cast<long>(first), lines.begin() + static_cast<long>(last));
      std::string block = indent + entry.key + ":" + (rows->second.empty() ? " []\n" : "\n");
      for (const std::string& row : rows->second) block += indent + "  - " + row + "\n";
      lines[key_line] = block;
    }
  }
  std::string text;
  for (const std::string& line : lines) text += line;
  return text;
}

}  // namespace millrace
