// Binding of a single step for the operator kit.
#include <algorithm>

#include "plan/option_reader.h"
#include "plan/yaml_reader.h"
#include "testing/operator_kit.h"

namespace millrace {

KitEvent kit_row(std::string row, int64_t event_time, uint32_t input) {
  KitEvent event;
  event.input = input;
  event.row = std::move(row);
  event.event_time = event_time;
  return event;
}

KitEvent kit_watermark(int64_t watermark) {
  KitEvent event;
  event.kind = KitEvent::Kind::kWatermark;
  event.watermark = watermark;
  return event;
}

KitEvent kit_end() { return kit_watermark(kWatermarkMax); }

KitEvent kit_clock(int64_t wall_ms) {
  KitEvent event;
  event.kind = KitEvent::Kind::kClock;
  event.watermark = wall_ms;
  return event;
}

namespace {

Result<SchemaPtr> kit_schema(std::string_view text) {
  auto schema = std::make_shared<Schema>();
  while (!text.empty()) {
    while (text.starts_with(' ') || text.starts_with(',')) text.remove_prefix(1);
    const size_t blank = text.find(' ');
    Field field;
    field.name = std::string(text.substr(0, blank));
    text.remove_prefix(blank + 1);
    size_t used = 0;
    MR_ASSIGN(field.type, parse_type(text, &used));
    text.remove_prefix(used);
    while (text.starts_with(' ')) text.remove_prefix(1);
    schema->fields.push_back(std::move(field));
  }
  return schema;
}

Error diagnostics_error(const Diagnostics& diagnostics) {
  std::string text;
  for (const Diagnostic& one : diagnostics.all()) text += (text.empty() ? "" : "; ") + one.message;
  return Error{diagnostics.all().empty() ? ErrorCode::kInternal : diagnostics.all().front().code, text, ""};
}

/// The operator whose key stands in the step; `window` wins over its own `aggregate`.
const OperatorDescriptor* find_operator(const Registry& registry, const Located& step) {
  const OperatorDescriptor* found = nullptr;
  for (const auto& [name, descriptor] : registry.plan.operators) {
    if (step.find(descriptor.key) == nullptr) continue;
    if (found == nullptr || descriptor.key == "window") found = &descriptor;
  }
  return found;
}

OnError kit_on_error(const Located& step) {
  const Located* on_error = step.find("on_error");
  if (on_error == nullptr || on_error->text == "fail") return OnError::kFail;
  return on_error->text == "skip" ? OnError::kSkip : OnError::kDeadLetter;
}

}  // namespace

Result<Node> bind_single_step(const Registry& registry, const std::string& step, const std::vector<std::string>& inputs,
                              bool inputs_update) {
  Diagnostics diagnostics;
  const auto yaml = read_yaml(step, diagnostics);
  if (!yaml || diagnostics.has_errors()) return std::unexpected(diagnostics_error(diagnostics));
  const OperatorDescriptor* descriptor = find_operator(registry, *yaml);
  if (descriptor == nullptr) return make_error(ErrorCode::kUnknownField, "the step has no operator");
  BindContext context;
  context.step = yaml->find("id") != nullptr ? yaml->find("id")->text : "step";
  for (size_t i = 0; i < inputs.size(); ++i) {
    MR_ASSIGN(SchemaPtr schema, kit_schema(inputs[i]));
    context.inputs.push_back(
        {"input" + std::to_string(i), std::move(schema), inputs_update ? Changelog::kRetract : Changelog::kAppend, {}});
  }
  OptionReader reader(*yaml, "step", diagnostics);
  const OptionValues options = reader.read(descriptor->fields);
  for (const char* common : {"id", "key_by", "on_error"}) reader.accept(common);
  reader.finish();
  if (const Located* key_by = yaml->find("key_by")) {
    for (const Located& item : key_by->items) context.key_by.push_back(item.text);
  }
  JobSettings settings;
  context.step_yaml = &*yaml;
  context.options = &options;
  context.functions = &registry.plan.functions;
  context.settings = &settings;
  context.diagnostics = &diagnostics;
  std::optional<BoundOperator> bound;
  if (!diagnostics.has_errors()) bound = descriptor->bind(context);
  if (!bound || diagnostics.has_errors()) return std::unexpected(diagnostics_error(diagnostics));
  Node node;
  node.id = context.step;
  node.type = descriptor->key;
  node.outputs = bound->outputs;
  node.on_error = kit_on_error(*yaml);
  const bool has_port = std::ranges::any_of(node.outputs, [](const Port& port) { return port.name == "dead_letter"; });
  if (node.on_error == OnError::kDeadLetter && !has_port) {
    node.outputs.push_back({"dead_letter", step_dead_letter_schema(), Changelog::kAppend, {}});
  }
  node.stateful = bound->stateful;
  node.states = bound->states;
  node.config = bound->config;
  for (size_t i = 0; i < inputs.size(); ++i) {
    NodeInput input;
    input.partitioning = bound->single_subtask ? Partitioning::kGlobal : bound->partitioning[i];
    if (i < bound->key_columns.size()) input.key_columns = bound->key_columns[i];
    node.inputs.push_back(std::move(input));
  }
  return node;
}

}  // namespace millrace
