// Ids and references: one name space of sources, steps and sinks; side outputs are `id.name`.
#include <fmt/format.h>

#include <algorithm>

#include "core/nearest.h"
#include "plan/spec/spec_context.h"

namespace millrace {

namespace {

constexpr size_t kIdLengthMax = 128;

bool is_id(std::string_view id) {
  if (id.empty() || id.size() > kIdLengthMax) return false;
  return std::ranges::all_of(id, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

void report_unknown_node(SpecContext& context, const Located& reference, const std::string& id) {
  const int length = static_cast<int>(id.size());
  if (context.names.contains(id)) {
    context.diagnostics.error(ErrorCode::kUnknownName, text_position(reference),
                              fmt::format("`{}` is declared below and cannot be read here", id),
                              "a step reads sources and steps above it", length);
    return;
  }
  std::vector<std::string_view> known;
  for (const Node& node : context.graph.nodes) {
    if (node.kind != NodeKind::kSink) known.push_back(node.id);
  }
  const std::string near = nearest_name(id, known);
  std::string help = near.empty() ? "" : fmt::format("a source or step with a similar name exists: `{}`", near);
  if (near.empty() && !known.empty()) {
    help = "sources and steps above: ";
    for (size_t i = 0; i < known.size(); ++i) help += (i == 0 ? "" : ", ") + std::string(known[i]);
  }
  context.diagnostics.error(ErrorCode::kUnknownName, text_position(reference),
                            fmt::format("there is no source or step `{}`", id), std::move(help), length);
}

std::string missing_port_help(const Node& node, const std::string& port) {
  if (port == "dead_letter" && node.kind == NodeKind::kSource) {
    return fmt::format("write `format: {{type: json, bad_record: dead_letter}}` in source `{}`", node.id);
  }
  if (port == "dead_letter") return fmt::format("write `on_error: dead_letter` in `{}`", node.id);
  if (port == "ahead" && node.kind == NodeKind::kSource) {
    return fmt::format("write `max_ahead` in the event_time of source `{}`", node.id);
  }
  std::string names;
  for (const Port& output : node.outputs) {
    if (!output.name.empty()) names += fmt::format("{}`{}.{}`", names.empty() ? "" : ", ", node.id, output.name);
  }
  return names.empty() ? "it has no side outputs" : "its side outputs: " + names;
}

}  // namespace

std::optional<InputRef> resolve_input(SpecContext& context, const Located& reference) {
  const size_t dot = reference.text.find('.');
  const std::string id = reference.text.substr(0, dot);
  const std::string port = dot == std::string::npos ? "" : reference.text.substr(dot + 1);
  auto found = std::ranges::find(context.graph.nodes, id, &Node::id);
  if (found == context.graph.nodes.end()) {
    report_unknown_node(context, reference, id);
    return std::nullopt;
  }
  const auto index = static_cast<uint32_t>(found - context.graph.nodes.begin());
  if (context.broken[index]) return InputRef{index, 0, true};
  for (uint32_t i = 0; i < found->outputs.size(); ++i) {
    if (found->outputs[i].name == port) return InputRef{index, i, false};
  }
  if (port.empty()) {
    context.diagnostics.error(ErrorCode::kUnknownName, text_position(reference),
                              fmt::format("`{}` is a sink and cannot be read", id), missing_port_help(*found, port),
                              static_cast<int>(id.size()));
  } else {
    context.diagnostics.error(ErrorCode::kUnknownName, text_position(reference),
                              fmt::format("`{}` has no output `{}`", id, port), missing_port_help(*found, port),
                              static_cast<int>(reference.text.size()));
  }
  return std::nullopt;
}

void declare_name(SpecContext& context, const std::string& id, Position at) {
  const int length = std::max(1, static_cast<int>(id.size()));
  if (!is_id(id)) {
    context.diagnostics.error(ErrorCode::kBadValue, at, fmt::format("`{}` cannot be an id", id),
                              "letters, digits, `_` and `-`, at most 128", length);
  }
  auto [known, fresh] = context.names.try_emplace(id, at);
  if (fresh) return;
  context.diagnostics.error(
      ErrorCode::kDuplicateName, at, fmt::format("the name `{}` is used twice", id),
      fmt::format("sources, steps and sinks share one name space; the first one is in line {}", known->second.line),
      length);
}

void report_unknown_name(SpecContext& context, ErrorCode code, std::string_view what, const Located& name,
                         std::vector<std::string_view> known, std::span<const std::string_view> future) {
  if (std::ranges::find(future, name.text) != future.end()) {
    context.diagnostics.error(ErrorCode::kNotSupportedYet, text_position(name),
                              fmt::format("the {} `{}` is not supported by this build", what, name.text), {},
                              text_length(name));
    return;
  }
  const std::string near = nearest_name(name.text, known);
  std::string help;
  if (!near.empty()) {
    help = fmt::format("one with a similar name exists: `{}`", near);
  } else {
    for (std::string_view one : known) help += (help.empty() ? "known: " : ", ") + std::string(one);
  }
  context.diagnostics.error(code, text_position(name), fmt::format("unknown {} `{}`", what, name.text), std::move(help),
                            text_length(name));
}

}  // namespace millrace
