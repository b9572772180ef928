#include "plan/spec/sinks.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/nearest.h"
#include "plan/spec/endpoint.h"
#include "plan/spec/steps.h"

namespace millrace {

namespace {

constexpr uint32_t kDefaultParallelismMax = 4;

class SinkReaderOfSpec {
 public:
  SinkReaderOfSpec(SpecContext& context, const Located::Entry& entry)
      : context_(context), entry_(entry), place_(fmt::format("sink `{}`", entry.key)) {}

  void read() {
    node_.kind = NodeKind::kSink;
    node_.id = entry_.key;
    node_.position = entry_.key_position;
    const bool ok = read_config();
    node_.states = config_.settles_epochs()
                       ? std::vector<StateSchema>{opaque_schema("lanes", StateKind::kSubtask, kLaneLayout)}
                       : config_.states;
    node_.sink = std::make_shared<const SinkConfig>(std::move(config_));
    context_.add_node(std::move(node_), !ok);
  }

 private:
  const ConnectorDescriptor* find_connector(const Located& type) {
    auto found = context_.registry.sinks.find(type.text);
    if (found != context_.registry.sinks.end()) return &found->second;
    std::vector<std::string_view> known;
    for (const auto& [name, connector] : context_.registry.sinks) known.push_back(name);
    report_unknown_name(context_, ErrorCode::kUnknownConnector, "sink connector", type, std::move(known),
                        future_connectors());
    return nullptr;
  }

  bool read_config() {
    const Located* type = entry_.value.find("type");
    const ConnectorDescriptor* connector = nullptr;
    const bool typed = type != nullptr && type->is_scalar();
    if (typed) connector = find_connector(*type);
    const Located map = connector == nullptr ? entry_.value : with_secrets(context_, entry_.value, *connector);
    OptionReader reader(map, place_, context_.diagnostics);
    OptionList fields = sink_fields();
    if (connector != nullptr && !connector->uses_format)
      std::erase_if(fields, [](auto& f) { return f.name == "format"; });
    const OptionValues common = reader.read(fields);
    const bool input_ok = find_input(common);
    if (connector == nullptr) return false;
    node_.type = config_.connector = connector->name;
    config_.options = reader.read(connector->options);
    reader.finish();
    if (connector->uses_format) {
      std::optional<FormatConfig> format = read_format(context_, common, false, place_);
      if (format) config_.format = std::move(*format);
    }
    read_delivery(common, *connector);
    if (common.text("on_error") == "dead_letter") {
      config_.on_error = node_.on_error = OnError::kDeadLetter;
      node_.outputs.push_back({"dead_letter", step_dead_letter_schema(), Changelog::kAppend, {}});
    }
    if (!input_ok) return false;
    take_input(common, *connector);
    return true;
  }

  bool find_input(const OptionValues& common) {
    const Located* written = entry_.value.find("input");
    std::optional<InputRef> found;
    if (written != nullptr) {
      if (!common.get("input").set) return false;  // reported: not a text
      found = resolve_input(context_, *written);
    } else {
      found = default_input();
    }
    if (!found || found->broken) return false;
    input_ = *found;
    return true;
  }

  /// The last step, or the only source when there are no steps.
  std::optional<InputRef> default_input() {
    uint32_t last = 0;
    size_t sources = 0;
    for (uint32_t i = 0; i < context_.graph.nodes.size(); ++i) {
      if (context_.graph.nodes[i].kind == NodeKind::kSink) continue;
      if (context_.graph.nodes[i].kind == NodeKind::kSource) ++sources;
      last = i;
    }
    if (sources == 0) return std::nullopt;
    if (context_.graph.nodes[last].kind == NodeKind::kSource && sources > 1) {
      context_.diagnostics.error(ErrorCode::kMissingField, entry_.key_position,
                                 fmt::format("{} needs an `input`: the job has several sources and no steps", place_));
      return std::nullopt;
    }
    return InputRef{last, 0, context_.broken[last]};
  }

  void read_delivery(const OptionValues& common, const ConnectorDescriptor& connector) {
    const std::vector<Delivery>& supported = connector.deliveries;
    const bool has_default = std::ranges::find(supported, Delivery::kAtLeastOnce) != supported.end();
    config_.delivery = has_default || supported.empty() ? Delivery::kAtLeastOnce : supported[0];
    if (!common.get("delivery").set || !common.has("delivery")) return;
    const Located& written = common.located("delivery");
    const std::string wanted = common.text("delivery");
    config_.delivery = wanted == "none"           ? Delivery::kNone
                       : wanted == "exactly_once" ? Delivery::kExactlyOnce
                                                  : Delivery::kAtLeastOnce;
    if (std::ranges::find(supported, config_.delivery) == supported.end()) {
      std::string names;
      for (Delivery one : supported) names += fmt::format("{}`{}`", names.empty() ? "" : ", ", delivery_name(one));
      context_.diagnostics.error(ErrorCode::kUnsupportedDelivery, text_position(written),
                                 fmt::format("`{}` cannot deliver {}", connector.name, wanted), "it can: " + names,
                                 text_length(written));
    } else if (config_.delivery == Delivery::kExactlyOnce && !context_.graph.settings.checkpoint.exactly_once) {
      context_.diagnostics.error(ErrorCode::kBadPlan, text_position(written),
                                 "exactly_once needs `settings.checkpoint.mode: exactly_once`", {},
                                 text_length(written));
    }
  }

  void take_input(const OptionValues& common, const ConnectorDescriptor& connector) {
    const Node& from = context_.graph.nodes[input_.node];
    const Port& port = from.outputs[input_.port];
    config_.schema = port.schema;
    config_.changelog = port.changelog;
    read_key(common, *port.schema);
    check_changelog(connector, port, from.id);
    if (connector.check_sink) connector.check_sink(config_.options, config_, context_.diagnostics);
    node_.parallelism = endpoint_parallelism(context_, common, connector, config_.subtasks_max,
                                             std::min(from.parallelism, kDefaultParallelismMax));
    NodeInput input = forward_input(context_, input_, node_.parallelism);
    if (node_.parallelism != from.parallelism && !config_.key.empty()) {
      input.partitioning = Partitioning::kHash;  // the order of each key's rows stays
      input.key_columns = config_.key;
    }
    node_.inputs.push_back(std::move(input));
  }

  void read_key(const OptionValues& common, const Schema& schema) {
    const std::vector<std::string> names = common.texts("key");
    const Located& written = common.located("key");
    for (size_t i = 0; i < names.size(); ++i) {
      const std::optional<size_t> column = schema.find(names[i]);
      if (column) {
        config_.key.push_back(static_cast<uint32_t>(*column));
        continue;
      }
      const Located& place = written.is_scalar() ? written : written.items[i];
      std::vector<std::string_view> known;
      for (const Field& field : schema.fields) known.push_back(field.name);
      const std::string near = nearest_name(names[i], known);
      Diagnostic diagnostic{Severity::kError,
                            ErrorCode::kUnknownColumn,
                            fmt::format("unknown column `{}`", names[i]),
                            near.empty() ? "" : fmt::format("a column with a similar name exists: `{}`", near),
                            text_position(place),
                            text_length(place),
                            fmt::format("no such column in the output of `{}`", context_.graph.nodes[input_.node].id)};
      context_.diagnostics.add(std::move(diagnostic));
    }
  }

  void check_changelog(const ConnectorDescriptor& connector, const Port& port, const std::string& from) {
    if (port.changelog == Changelog::kAppend || connector.accepts_updates) return;
    if (!connector.needs_key_for_updates) {
      context_.diagnostics.error(ErrorCode::kBadPlan, entry_.key_position,
                                 fmt::format("{}: `{}` cannot take the updates of `{}`", place_, connector.name, from),
                                 "write to a sink that takes updates, or make the results final with a window",
                                 static_cast<int>(entry_.key.size()));
    } else if (config_.key.empty()) {
      std::string names;
      for (uint32_t column : port.upsert_key) {
        names += (names.empty() ? "" : ", ") + port.schema->fields[column].name;
      }
      context_.diagnostics.error(
          ErrorCode::kBadPlan, entry_.key_position, fmt::format("{} needs a `key`: `{}` sends updates", place_, from),
          names.empty() ? "" : fmt::format("write `key: [{}]`", names), static_cast<int>(entry_.key.size()));
    }
  }

  SpecContext& context_;
  const Located::Entry& entry_;
  std::string place_;
  Node node_;
  SinkConfig config_;
  InputRef input_;
};

/// Sinks that read the dead letters of another sink come behind it.
std::vector<const Located::Entry*> in_reading_order(const Located& sinks) {
  std::vector<const Located::Entry*> waiting;
  std::vector<const Located::Entry*> ordered;
  for (const Located::Entry& entry : sinks.entries) waiting.push_back(&entry);
  auto reads_waiting = [&](const Located::Entry* entry) {
    const Located* input = entry->value.find("input");
    if (input == nullptr || !input->is_scalar()) return false;
    const std::string id = input->text.substr(0, input->text.find('.'));
    return std::ranges::any_of(waiting,
                               [&](const Located::Entry* other) { return other != entry && other->key == id; });
  };
  while (!waiting.empty()) {
    auto next = std::ranges::find_if_not(waiting, reads_waiting);
    if (next == waiting.end()) next = waiting.begin();  // a circle; resolve_input reports it
    ordered.push_back(*next);
    waiting.erase(next);
  }
  return ordered;
}

}  // namespace

std::string_view delivery_name(Delivery delivery) {
  switch (delivery) {
    case Delivery::kNone:
      return "none";
    case Delivery::kAtLeastOnce:
      return "at_least_once";
    case Delivery::kExactlyOnce:
      return "exactly_once";
  }
  return "unknown";
}

void read_sinks(SpecContext& context, const Located& sinks) {
  for (const Located::Entry* entry : in_reading_order(sinks)) SinkReaderOfSpec(context, *entry).read();
}

}  // namespace millrace
