#include "runtime/operators/aggregate/aggregate.h"

#include <fmt/format.h>

#include <algorithm>

#include "runtime/operators/aggregate/running_aggregate.h"
#include "runtime/operators/binding.h"
#include "runtime/operators/state_fields.h"
#include "runtime/operators/window/bind.h"

namespace millrace {

namespace {

bool all_retract(const WindowConfig& window) {
  return std::ranges::all_of(window.calls,
                             [](const AggregateCall& call) { return call.function->retractable && !call.distinct; });
}

std::vector<StateSchema> aggregate_states(const WindowConfig& window, bool history) {
  StateSchema state;
  state.name = "aggregate";
  state.form = "running aggregate";
  state.key = {key_field(*window.input, window.keys)};
  state.value = {state_field("rows", StateForm::kInt64), state_field("used", StateForm::kTime)};
  for (StateField& field : aggregate_fields(window.calls, window.results, window.keys.size()))
    state.value.push_back(std::move(field));
  std::vector<StateSchema> states = {std::move(state), progress_schema("aggregate_progress")};
  if (!history) return states;
  StateSchema rows;
  rows.name = "aggregate_rows";
  rows.form = "running aggregate";
  rows.key = {key_field(*window.input, window.keys)};
  rows.value = {list_field("rows", {row_field("row", *window.input)})};
  states.push_back(std::move(rows));
  return states;
}

std::optional<BoundOperator> bind_aggregate(const BindContext& context) {
  const OptionValues& options = *context.options;
  const BindInput& input = context.inputs[0];
  auto window = std::make_shared<WindowConfig>();
  window->spec.kind = WindowKind::kGlobal;
  window->input = input.schema;
  const auto keys = bind_keys(context);
  if (keys) window->keys = *keys;
  for (uint32_t key : window->keys) window->key_types.push_back(input.schema->fields[key].type);
  if (!bind_window_aggregates(context, options.located("aggregate"), options.located("having"), *window) || !keys) {
    return std::nullopt;
  }
  auto config = std::make_shared<RunningConfig>();
  config->append = options.text("emit") == "append";
  if (config->append && !require_append(context, "`emit: append`")) return std::nullopt;
  if (input.changelog == Changelog::kUpsert) {
    context.diagnostics->error(ErrorCode::kBadPlan, context.step_yaml->position,
                               fmt::format("aggregate cannot read the upsert stream `{}`", input.name));
    return std::nullopt;
  }
  config->history = input.changelog != Changelog::kAppend && !all_retract(*window);
  config->ttl_ms = options.integer("ttl");
  BoundOperator bound;
  bound.states = aggregate_states(*window, config->history);
  std::vector<uint32_t> upsert_key;
  for (uint32_t i = 0; i < window->keys.size(); ++i) upsert_key.push_back(i);
  bound.outputs = {config->append ? Port{"", window->output, Changelog::kAppend, {}}
                                  : Port{"", window->output, Changelog::kRetract, upsert_key}};
  bound.partitioning = {window->keys.empty() ? Partitioning::kGlobal : Partitioning::kHash};
  bound.key_columns = {window->keys};
  if (!config->history) bound.reads.emplace().push_back(window_reads(*window));
  bound.stateful = true;
  bound.single_subtask = window->keys.empty();
  bound.detail = config->append ? "running aggregate, a row per row" : "running aggregate";
  config->window = std::move(window);
  bound.config = std::move(config);
  return bound;
}

}  // namespace

void register_aggregate(Registry& registry) {
  OperatorDescriptor descriptor;
  descriptor.key = "aggregate";
  descriptor.help = "Running aggregates per key: a changelog, or one row per input row.";
  OptionDescriptor aggregate;
  aggregate.name = "aggregate";
  aggregate.kind = OptionKind::kTree;
  aggregate.required = true;
  aggregate.help = "`name: expression` with aggregates; each call may have FILTER (WHERE …).";
  aggregate.example = "{orders: COUNT(*), revenue: SUM(amount)}";
  OptionDescriptor having;
  having.name = "having";
  having.kind = OptionKind::kExpression;
  having.help = "Shows the results for which it is TRUE.";
  having.example = "orders > 10";
  OptionDescriptor emit;
  emit.name = "emit";
  emit.kind = OptionKind::kChoice;
  emit.choices = {"upsert", "append"};
  emit.default_text = "upsert";
  emit.help = "`upsert`: changes of results, may skip values between two batches; `append`: one row per input row.";
  OptionDescriptor ttl;
  ttl.name = "ttl";
  ttl.kind = OptionKind::kDuration;
  ttl.min = 1;
  ttl.help = "Forgets a key that had no row for so long (wall clock). Without it keys stay for ever.";
  ttl.example = "1d";
  descriptor.fields = {aggregate, having, emit, ttl};
  descriptor.bind = bind_aggregate;
  registry.plan.operators["aggregate"] = std::move(descriptor);
  registry.factories.operators["aggregate"] = [](const Node& node, const JobGraph& /*graph*/) -> Result<OperatorPtr> {
    return make_running_aggregate(std::static_pointer_cast<const RunningConfig>(node.config), node);
  };
}

}  // namespace millrace
