// A small registry for tests of the planner: connectors, formats and operators with descriptors and no running face.
#pragma once

#include <memory>
#include <string>

#include "plan/planner.h"
#include "plan/render_diagnostics.h"

namespace millrace {

inline std::optional<BoundOperator> bind_fake_filter(const BindContext& context) {
  const Located& text = context.options->located("filter");
  auto predicate = compile_predicate(text.text, context.scope(), *context.functions);
  if (!predicate) {
    context.diagnostics->expression(text, predicate.error());
    return std::nullopt;
  }
  BoundOperator bound;
  bound.outputs = {{"", context.inputs[0].schema, context.inputs[0].changelog, context.inputs[0].upsert_key}};
  std::vector<uint32_t> columns;
  collect_columns(**predicate, columns);
  bound.reads.emplace().push_back(columns);
  bound.passes_through = true;
  bound.detail = text.text;
  return bound;
}

/// Counts rows per key; with `window` append-only with a late output, without it a changelog.
inline std::optional<BoundOperator> bind_fake_aggregate(const BindContext& context, bool windowed) {
  Schema schema;
  std::vector<uint32_t> keys;
  std::vector<uint32_t> output_keys;
  for (const std::string& name : context.key_by) {
    keys.push_back(static_cast<uint32_t>(*context.inputs[0].schema->find(name)));
    output_keys.push_back(static_cast<uint32_t>(schema.fields.size()));
    schema.fields.push_back(context.inputs[0].schema->fields[keys.back()]);
  }
  for (const Located::Entry& entry : context.options->located("aggregate").entries) {
    schema.fields.push_back({entry.key, make_type(TypeKind::kBigInt)});
  }
  BoundOperator bound;
  const Changelog changelog = windowed ? Changelog::kAppend : Changelog::kUpsert;
  bound.outputs = {{"", std::make_shared<const Schema>(std::move(schema)), changelog, output_keys}};
  if (windowed) bound.outputs.push_back({"late", context.inputs[0].schema, Changelog::kAppend, {}});
  if (!keys.empty()) {
    bound.partitioning = {Partitioning::kHash};
    bound.key_columns = {keys};
  }
  bound.reads.emplace().emplace_back();
  bound.stateful = true;
  bound.single_subtask = keys.empty();
  bound.delay_ms = windowed ? 60'000 : 0;
  bound.detail = windowed ? "window 1m" : "aggregate";
  return bound;
}

inline std::optional<BoundOperator> bind_fake_union(const BindContext& context) {
  BoundOperator bound;
  bound.outputs = {{"", context.inputs[0].schema, Changelog::kAppend, {}}};
  bound.reads.emplace(context.inputs.size());
  bound.passes_through = true;
  return bound;
}

inline void add_fake_connectors(PlanRegistry& registry) {
  registry.sources["datagen"] = {
      .name = "datagen",
      .options = {{.name = "rows", .kind = OptionKind::kInteger, .min = 1},
                  {.name = "rows_per_second", .kind = OptionKind::kInteger, .default_text = "10", .min = 1}},
      .uses_format = false,
      .check_source = [](const OptionValues& options, SourceConfig& config, Diagnostics&) {
        config.bounded = options.has("rows");
      }};
  registry.sources["kafka"] = {
      .name = "kafka",
      .options = {{.name = "brokers", .kind = OptionKind::kText, .required = true, .example = "localhost:9092"},
                  {.name = "topics", .kind = OptionKind::kTextList, .required = true},
                  {.name = "group_id", .kind = OptionKind::kText},
                  {.name = "start_from", .kind = OptionKind::kTree},
                  {.name = "sasl_password", .kind = OptionKind::kText, .secret = true}},
      .metadata_columns = {"topic", "partition", "offset", "timestamp", "key", "headers"}};
  registry.sinks["print"] = {.name = "print",
                             .deliveries = {Delivery::kAtLeastOnce, Delivery::kNone},
                             .accepts_updates = true,
                             .single_subtask = true};
  registry.sinks["file"] = {.name = "file",
                            .options = {{.name = "path", .kind = OptionKind::kText, .required = true}},
                            .accepts_updates = true,
                            .check_sink = [](const OptionValues& options, SinkConfig& config, Diagnostics&) {
                              if (!options.text("path").ends_with('/')) config.subtasks_max = 1;
                            }};
  registry.sinks["blackhole"] = {.name = "blackhole", .uses_format = false};
  registry.sinks["kafka"] = {.name = "kafka",
                             .options = {{.name = "brokers", .kind = OptionKind::kText, .required = true},
                                         {.name = "topic", .kind = OptionKind::kText, .required = true}},
                             .needs_key_for_updates = true};
}

inline PlanRegistry fake_registry() {
  PlanRegistry registry;
  add_fake_connectors(registry);
  registry.formats["json"] = {.name = "json",
                              .options = {{.name = "timestamps",
                                           .kind = OptionKind::kChoice,
                                           .default_text = "epoch_ms",
                                           .choices = {"epoch_ms", "iso8601"}}}};
  registry.formats["csv"] = {.name = "csv", .can_encode = false};
  registry.operators["filter"] = {.key = "filter",
                                  .fields = {{.name = "filter", .kind = OptionKind::kExpression, .required = true}},
                                  .bind = bind_fake_filter};
  registry.operators["window"] = {.key = "window",
                                  .fields = {{.name = "window", .kind = OptionKind::kTree, .required = true},
                                             {.name = "aggregate", .kind = OptionKind::kTree, .required = true},
                                             {.name = "having", .kind = OptionKind::kExpression}},
                                  .bind = [](const BindContext& c) { return bind_fake_aggregate(c, true); }};
  registry.operators["aggregate"] = {.key = "aggregate",
                                     .fields = {{.name = "aggregate", .kind = OptionKind::kTree, .required = true}},
                                     .bind = [](const BindContext& c) { return bind_fake_aggregate(c, false); }};
  registry.operators["union"] = {.key = "union",
                                 .fields = {{.name = "union", .kind = OptionKind::kTextList, .required = true}},
                                 .inputs_max = 16,
                                 .inputs =
                                     [](const Located& step) {
                                       std::vector<const Located*> inputs;
                                       for (const Located& item : step.find("union")->items) inputs.push_back(&item);
                                       return inputs;
                                     },
                                 .bind = bind_fake_union};
  return registry;
}

inline PlannedJob plan_fake(std::string_view yaml, SpecOverrides overrides = {}) {
  static const PlanRegistry registry = fake_registry();
  if (!overrides.environment) {
    overrides.environment = [](const std::string& name) -> std::optional<std::string> {
      if (name == "KAFKA_BROKERS") return "broker:9092";
      if (name == "MILLRACE_SECRET_KAFKA") return "geheim";
      if (name == "PASSWORD") return "auch geheim";
      return std::nullopt;
    };
  }
  return plan_job(yaml, overrides, registry);
}

/// "line:column code message; help" per diagnostic.
inline std::string mistakes_of(const PlannedJob& job) {
  std::string out;
  for (const Diagnostic& d : job.diagnostics.all()) {
    if (d.code == ErrorCode::kLintNoTests) continue;
    out += std::to_string(d.position.line) + ":" + std::to_string(d.position.column) + " " +
           std::string(error_info(d.code).code) + " " + d.message + (d.help.empty() ? "" : "; ") + d.help + "\n";
  }
  return out;
}

}  // namespace millrace
