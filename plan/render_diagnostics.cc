#include "plan/render_diagnostics.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace millrace {

namespace {

using OrderedJson = nlohmann::ordered_json;

std::string_view severity_name(Severity severity) { return severity == Severity::kError ? "error" : "warning"; }

std::string_view source_line(std::string_view text, int line) {
  for (int i = 1; i < line; ++i) {
    const size_t end = text.find('\n');
    if (end == std::string_view::npos) return {};
    text.remove_prefix(end + 1);
  }
  text = text.substr(0, text.find('\n'));
  if (text.ends_with('\r')) text.remove_suffix(1);
  return text;
}

/// Blanks up to the column, tabs kept so that the caret stands below its text.
std::string caret_indent(std::string_view line, int column) {
  std::string indent;
  int at = 1;
  for (size_t i = 0; i < line.size() && at < column; ++i) {
    if ((static_cast<unsigned char>(line[i]) & 0xC0) == 0x80) continue;
    indent.push_back(line[i] == '\t' ? '\t' : ' ');
    ++at;
  }
  while (at++ < column) indent.push_back(' ');
  return indent;
}

class TextRenderer {
 public:
  TextRenderer(const DiagnosticSource& source, bool color) : source_(source), color_(color) {}

  std::string block(const Diagnostic& d) const {
    const std::string_view tint = d.severity == Severity::kError ? "1;31" : "1;33";
    std::string out = paint(tint, fmt::format("{}[{}]", severity_name(d.severity), error_info(d.code).code));
    out += paint("1", ": " + d.message) + "\n";
    if (d.position.line <= 0) {
      out += fmt::format("  {} {}\n", paint("1;34", "-->"), source_.file);
      if (!d.help.empty()) out += fmt::format("   {} {}\n", paint("1;34", "="), "help: " + d.help);
      return out;
    }
    const std::string number = std::to_string(d.position.line);
    const std::string gutter(number.size(), ' ');
    const std::string bar = paint("1;34", "|");
    out += fmt::format("{}{} {}:{}:{}\n", gutter, paint("1;34", "-->"), source_.file, number, d.position.column);
    const std::string_view line = source_line(source_.text, d.position.line);
    if (!line.empty()) {
      out += fmt::format("{} {}\n", gutter, bar);
      out += fmt::format("{} {} {}\n", paint("1;34", number), bar, line);
      std::string carets(static_cast<size_t>(std::max(1, d.length)), '^');
      if (!d.label.empty()) carets += " " + d.label;
      out += fmt::format("{} {} {}{}\n", gutter, bar, caret_indent(line, d.position.column), paint(tint, carets));
    }
    if (!d.help.empty()) out += fmt::format("{} {} help: {}\n", gutter, paint("1;34", "="), d.help);
    return out;
  }

 private:
  std::string paint(std::string_view code, std::string_view text) const {
    return color_ ? fmt::format("\x1b[{}m{}\x1b[0m", code, text) : std::string(text);
  }

  const DiagnosticSource& source_;
  bool color_;
};

std::string dump_json(const OrderedJson& json) {
  return json.dump(2, ' ', false, OrderedJson::error_handler_t::replace) + "\n";
}

/// GitHub's escapes: properties also escape `:` and `,`.
std::string github_escape(std::string_view text, bool property) {
  std::string out;
  for (char c : text) {
    if (c == '%' || c == '\r' || c == '\n' || (property && (c == ':' || c == ','))) {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    } else {
      out.push_back(c);
    }
  }
  return out;
}

OrderedJson sarif_result(const Diagnostic& d, std::string_view file) {
  OrderedJson result;
  result["ruleId"] = error_info(d.code).code;
  result["level"] = severity_name(d.severity);
  result["message"]["text"] = d.help.empty() ? d.message : d.message + " (" + d.help + ")";
  OrderedJson location;
  location["artifactLocation"]["uri"] = file;
  if (d.position.line > 0) {
    location["region"] = {{"startLine", d.position.line},
                          {"startColumn", d.position.column},
                          {"endColumn", d.position.column + std::max(1, d.length)}};
  }
  result["locations"] = OrderedJson::array({OrderedJson{{"physicalLocation", location}}});
  return result;
}

}  // namespace

std::string render_text(const Diagnostics& diagnostics, const DiagnosticSource& source, bool color) {
  const TextRenderer renderer(source, color);
  std::string out;
  for (const Diagnostic& d : diagnostics.all()) {
    if (!out.empty()) out += "\n";
    out += renderer.block(d);
  }
  return out;
}

std::string render_json(const Diagnostics& diagnostics, const DiagnosticSource& source) {
  OrderedJson list = OrderedJson::array();
  for (const Diagnostic& d : diagnostics.all()) {
    OrderedJson item;
    item["code"] = error_info(d.code).code;
    item["severity"] = severity_name(d.severity);
    item["message"] = d.message;
    if (!d.label.empty()) item["label"] = d.label;
    if (!d.help.empty()) item["help"] = d.help;
    item["file"] = source.file;
    if (d.position.line > 0) {
      item["line"] = d.position.line;
      item["column"] = d.position.column;
      item["length"] = d.length;
    }
    list.push_back(std::move(item));
  }
  OrderedJson json;
  json["diagnostics"] = std::move(list);
  json["errors"] = diagnostics.count(Severity::kError);
  json["warnings"] = diagnostics.count(Severity::kWarning);
  return dump_json(json);
}

std::string render_sarif(const Diagnostics& diagnostics, const DiagnosticSource& source) {
  OrderedJson results = OrderedJson::array();
  OrderedJson rules = OrderedJson::array();
  std::vector<std::string_view> seen;
  for (const Diagnostic& d : diagnostics.all()) {
    results.push_back(sarif_result(d, source.file));
    const ErrorInfo& info = error_info(d.code);
    if (std::find(seen.begin(), seen.end(), info.code) != seen.end()) continue;
    seen.push_back(info.code);
    rules.push_back({{"id", info.code},
                     {"shortDescription", {{"text", info.title}}},
                     {"fullDescription", {{"text", info.explanation}}}});
  }
  OrderedJson driver{{"name", "millrace"}, {"rules", std::move(rules)}};
  OrderedJson run{{"tool", {{"driver", std::move(driver)}}}, {"columnKind", "unicodeCodePoints"}};
  run["results"] = std::move(results);
  OrderedJson json{{"$schema", "https://json.schemastore.org/sarif-2.1.0.json"}, {"version", "2.1.0"}};
  json["runs"] = OrderedJson::array({std::move(run)});
  return dump_json(json);
}

std::string render_github(const Diagnostics& diagnostics, const DiagnosticSource& source) {
  std::string out;
  for (const Diagnostic& d : diagnostics.all()) {
    const std::string text = d.help.empty() ? d.message : d.message + "\n" + d.help;
    out += fmt::format("::{} file={}", severity_name(d.severity), github_escape(source.file, true));
    if (d.position.line > 0) {
      out += fmt::format(",line={},col={},endColumn={}", d.position.line, d.position.column,
                         d.position.column + std::max(1, d.length));
    }
    out += fmt::format(",title={}::{}\n", error_info(d.code).code, github_escape(text, false));
  }
  return out;
}

}  // namespace millrace
