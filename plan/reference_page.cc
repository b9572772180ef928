#include "plan/reference_page.h"

#include <fmt/format.h>

#include "plan/spec/fields.h"
#include "plan/spec/sinks.h"

namespace millrace {

namespace {

/// Table cells: no line breaks, no bars.
std::string cell(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '|') out.push_back('\\');
    out.push_back(c == '\n' ? ' ' : c);
  }
  return out;
}

/// Help texts as sentences.
std::string sentence(std::string_view text) {
  std::string out(text);
  if (out.empty()) return out;
  // A first word in lower case begins a sentence, unless it is a name such as `max`.
  if (out[0] >= 'a' && out[0] <= 'z' && out.find('_') > out.find(' ') && out.find(':') > out.find(' '))
    out[0] = static_cast<char>(out[0] - 'a' + 'A');
  if (!out.ends_with('.') && !out.ends_with('`')) out.push_back('.');
  return out;
}

std::string kind_text(const OptionDescriptor& option) {
  std::string text;
  switch (option.kind) {
    case OptionKind::kText:
      text = "text";
      break;
    case OptionKind::kInteger:
      text = "whole number";
      break;
    case OptionKind::kNumber:
      text = "number";
      break;
    case OptionKind::kBoolean:
      text = "true or false";
      break;
    case OptionKind::kDuration:
      text = "duration";
      break;
    case OptionKind::kBytes:
      text = "size";
      break;
    case OptionKind::kTextList:
      text = "texts";
      break;
    case OptionKind::kExpression:
      text = "expression";
      break;
    case OptionKind::kTree:
      text = "mapping";
      break;
    case OptionKind::kChoice:
      break;
  }
  for (const std::string& choice : option.choices) text += (text.empty() ? "`" : ", `") + choice + "`";
  if (option.kind == OptionKind::kInteger && option.min && option.max) {
    text += fmt::format(" {} … {}", *option.min, *option.max);
  }
  if (!option.unit.empty()) text += ", " + option.unit;
  if (option.secret) text += ", secret";
  return text;
}

class ReferencePage {
 public:
  void section(std::string_view title, std::string_view help, std::span<const OptionDescriptor> options) {
    out_ += fmt::format("### {}\n\n", title);
    if (!help.empty()) out_ += fmt::format("{}\n\n", help);
    table(options);
  }

  void table(std::span<const OptionDescriptor> options) {
    if (options.empty()) return;
    out_ += "| field | value | default | |\n| --- | --- | --- | --- |\n";
    for (const OptionDescriptor& option : options) {
      std::string help = sentence(option.help);
      if (!option.example.empty()) help += fmt::format("{}Example: `{}`", help.empty() ? "" : " ", option.example);
      const std::string fallback = option.default_text ? "`" + *option.default_text + "`"
                                   : option.required   ? "required"
                                                       : "";
      out_ +=
          fmt::format("| `{}` | {} | {} | {} |\n", option.name, cell(kind_text(option)), cell(fallback), cell(help));
    }
    out_ += "\n";
  }

  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

std::string sink_line(const ConnectorDescriptor& sink) {
  std::string deliveries;
  for (Delivery one : sink.deliveries) {
    deliveries += fmt::format("{}`{}`", deliveries.empty() ? "" : ", ", delivery_name(one));
  }
  std::string_view updates = "It takes append streams only.";
  if (sink.accepts_updates) updates = "It takes updates.";
  if (sink.needs_key_for_updates) updates = "It takes updates when it has a `key`.";
  return fmt::format("{} Delivery: {}. {}", sentence(sink.help), deliveries, updates);
}

std::string source_line(const ConnectorDescriptor& source) {
  std::string names;
  for (const std::string& name : source.metadata_columns)
    names += fmt::format("{}`{}`", names.empty() ? "" : ", ", name);
  return names.empty() ? sentence(source.help) : fmt::format("{} Metadata: {}.", sentence(source.help), names);
}

}  // namespace

std::string job_file_reference(const PlanRegistry& registry) {
  ReferencePage page;
  page.section("The file", "", job_fields());
  page.section("A parameter", "Below `params`, by name.", param_fields());
  page.section("settings", "", settings_fields());
  page.section("settings.checkpoint", "", checkpoint_fields());
  page.section("settings.state", "", state_fields());
  for (std::string_view strategy : {"fixed", "failure_rate", "exponential"}) {
    page.section(fmt::format("settings.restart, strategy {}", strategy), "", restart_fields(strategy));
  }
  page.section("Every source", "", source_fields());
  page.section("event_time", "", event_time_fields());
  for (const auto& [name, source] : registry.sources)
    page.section("Source " + name, source_line(source), source.options);
  page.section("Every format of a source", "", source_format_fields());
  for (const auto& [name, format] : registry.formats) {
    const std::string_view use = !format.can_encode ? " Sources only." : !format.can_decode ? " Sinks only." : "";
    page.section("Format " + name, sentence(format.help) + std::string(use), format.options);
  }
  page.section("Every step", "", step_fields());
  for (const auto& [key, one] : registry.operators) page.section("Operator " + key, sentence(one.help), one.fields);
  page.section("Every sink", "", sink_fields());
  for (const auto& [name, sink] : registry.sinks) page.section("Sink " + name, sink_line(sink), sink.options);
  page.section("A test", "Items of `tests`.", test_fields());
  return page.take();
}

}  // namespace millrace
