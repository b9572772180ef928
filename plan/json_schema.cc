#include "plan/json_schema.h"

#include <nlohmann/json.hpp>

#include "plan/spec/fields.h"

namespace millrace {

namespace {

using SchemaJson = nlohmann::ordered_json;

constexpr std::string_view kVariablePattern = R"(\$\{.*\})";
constexpr std::string_view kDurationPattern = R"(^(-?([0-9]+(ms|s|m|h|d))+|0|.*\$\{.*\}.*)$)";
constexpr std::string_view kBytesPattern = R"(^([0-9]+(B|[KMGT]i?B)|0|.*\$\{.*\}.*)$)";

SchemaJson text_pattern(std::string_view pattern) { return {{"type", "string"}, {"pattern", pattern}}; }

/// The type itself, or a text with a variable in it.
SchemaJson or_variable(SchemaJson type) {
  return {{"anyOf", SchemaJson::array({std::move(type), text_pattern(kVariablePattern)})}};
}

SchemaJson bounded_number(const OptionDescriptor& option, std::string_view type) {
  SchemaJson number{{"type", type}};
  if (option.min) number["minimum"] = *option.min;
  if (option.max) number["maximum"] = *option.max;
  return number;
}

SchemaJson option_type(const OptionDescriptor& option) {
  const SchemaJson scalar{{"type", {"string", "number", "boolean"}}};
  switch (option.kind) {
    case OptionKind::kText:
    case OptionKind::kExpression:
      return scalar;
    case OptionKind::kInteger:
      return or_variable(bounded_number(option, "integer"));
    case OptionKind::kNumber:
      return or_variable(bounded_number(option, "number"));
    case OptionKind::kBoolean:
      return or_variable({{"type", "boolean"}});
    case OptionKind::kChoice:
      return or_variable({{"enum", option.choices}});
    case OptionKind::kTextList:
      return {{"anyOf", SchemaJson::array({scalar, {{"type", "array"}, {"items", scalar}}})}};
    case OptionKind::kDuration:
    case OptionKind::kBytes: {
      SchemaJson text = text_pattern(option.kind == OptionKind::kDuration ? kDurationPattern : kBytesPattern);
      if (option.choices.empty()) return text;
      return {{"anyOf", SchemaJson::array({std::move(text), {{"enum", option.choices}}})}};
    }
    case OptionKind::kTree:
      return SchemaJson::object();
  }
  return SchemaJson::object();
}

/// A mapping with exactly these fields.
class ObjectSchema {
 public:
  ObjectSchema& add(std::span<const OptionDescriptor> options) {
    for (const OptionDescriptor& option : options) {
      if (properties_.contains(option.name)) continue;
      SchemaJson type = option_type(option);
      if (!option.help.empty()) type["description"] = option.help;
      if (option.default_text) type["default"] = *option.default_text;
      if (!option.example.empty()) type["examples"] = {option.example};
      properties_[option.name] = std::move(type);
      if (option.required && option.name != "schema") required_.push_back(option.name);
    }
    return *this;
  }
  /// Replaces the type of a field that is there; its description stays.
  ObjectSchema& type(const std::string& name, SchemaJson type) {
    if (!properties_.contains(name)) return *this;
    if (properties_[name].contains("description")) type["description"] = properties_[name]["description"];
    properties_[name] = std::move(type);
    return *this;
  }
  ObjectSchema& remove(const std::string& name) {
    properties_.erase(name);
    return *this;
  }
  [[nodiscard]] SchemaJson json() const {
    SchemaJson out{{"type", "object"}, {"properties", properties_}, {"additionalProperties", false}};
    if (!required_.empty()) out["required"] = required_;
    return out;
  }

 private:
  SchemaJson properties_ = SchemaJson::object();
  std::vector<std::string> required_;
};

SchemaJson restart_schema() {
  SchemaJson strategies = SchemaJson::array();
  SchemaJson names = SchemaJson::array();
  for (std::string_view name : {"none", "fixed", "failure_rate", "exponential"}) {
    strategies.push_back(ObjectSchema().add(restart_fields(name)).type("strategy", {{"const", name}}).json());
    names.push_back(name);
  }
  strategies.push_back({{"enum", std::move(names)}});
  return {{"anyOf", std::move(strategies)}};
}

SchemaJson settings_schema() {
  return ObjectSchema()
      .add(settings_fields())
      .type("checkpoint", ObjectSchema().add(checkpoint_fields()).json())
      .type("state", ObjectSchema().add(state_fields()).json())
      .type("restart", restart_schema())
      .json();
}

SchemaJson format_schema(const PlanRegistry& registry, bool decode) {
  SchemaJson names = SchemaJson::array();
  SchemaJson choices = SchemaJson::array();
  for (const auto& [name, format] : registry.formats) {
    if (decode ? !format.can_decode : !format.can_encode) continue;
    names.push_back(name);
    choices.push_back(ObjectSchema()
                          .add(decode ? source_format_fields() : sink_format_fields())
                          .add(format.options)
                          .type("type", {{"const", name}})
                          .json());
  }
  choices.push_back({{"enum", std::move(names)}});
  return {{"anyOf", std::move(choices)}};
}

SchemaJson endpoint_schema(const PlanRegistry& registry, const ConnectorDescriptor& connector, bool source) {
  ObjectSchema schema;
  schema.add(source ? source_fields() : sink_fields()).add(connector.options);
  schema.type("type", {{"const", connector.name}});
  schema.type("schema", {{"type", "object"}, {"additionalProperties", {{"type", "string"}}}, {"minProperties", 1}});
  schema.type("event_time", ObjectSchema().add(event_time_fields()).json());
  schema.type("secrets", {{"type", "object"}, {"additionalProperties", {{"type", "string"}}}});
  if (connector.uses_format) {
    schema.type("format", format_schema(registry, source));
  } else {
    schema.remove("format");
  }
  SchemaJson json = schema.json();
  json["title"] = connector.name;
  if (!connector.help.empty()) json["description"] = connector.help;
  return json;
}

SchemaJson endpoints_schema(const PlanRegistry& registry,
                            const std::map<std::string, ConnectorDescriptor, std::less<>>& connectors, bool source) {
  SchemaJson kinds = SchemaJson::array();
  for (const auto& [name, connector] : connectors) kinds.push_back(endpoint_schema(registry, connector, source));
  return {{"type", "object"}, {"minProperties", 1}, {"additionalProperties", {{"anyOf", std::move(kinds)}}}};
}

SchemaJson steps_schema(const PlanRegistry& registry) {
  SchemaJson kinds = SchemaJson::array();
  for (const auto& [key, one] : registry.operators) {
    SchemaJson step = ObjectSchema().add(one.fields).add(step_fields()).json();
    step["title"] = key;
    if (!one.help.empty()) step["description"] = one.help;
    if (!step.contains("required")) step["required"] = SchemaJson::array({key});
    kinds.push_back(std::move(step));
  }
  return {{"type", "array"}, {"items", {{"anyOf", std::move(kinds)}}}};
}

SchemaJson tests_schema() {
  const SchemaJson rows{{"type", "object"}, {"additionalProperties", {{"type", "array"}}}};
  return {{"type", "array"},
          {"items", ObjectSchema().add(test_fields()).type("given", rows).type("expect", rows).json()}};
}

}  // namespace

std::string job_json_schema(const PlanRegistry& registry) {
  SchemaJson params{{"type", "object"}, {"additionalProperties", ObjectSchema().add(param_fields()).json()}};
  SchemaJson schema = ObjectSchema()
                          .add(job_fields())
                          .type("version", {{"const", 1}})
                          .type("params", std::move(params))
                          .type("settings", settings_schema())
                          .type("sources", endpoints_schema(registry, registry.sources, true))
                          .type("steps", steps_schema(registry))
                          .type("sinks", endpoints_schema(registry, registry.sinks, false))
                          .type("tests", tests_schema())
                          .json();
  SchemaJson out{{"$schema", "https://json-schema.org/draft/2020-12/schema"},
                 {"title", "Millrace job file, version 1"}};
  out.update(schema);
  return out.dump(2) + "\n";
}

}  // namespace millrace
