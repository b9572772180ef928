#include "runtime/operators/top/top.h"

#include <fmt/format.h>

#include <algorithm>

#include "plan/option_reader.h"
#include "plan/option_text.h"
#include "runtime/operators/binding.h"
#include "runtime/operators/state_fields.h"
#include "runtime/operators/top/top_rows.h"
#include "runtime/operators/window/bind.h"

namespace millrace {
namespace {

std::vector<OptionDescriptor> top_fields() {
  OptionDescriptor n;
  n.name = "n";
  n.kind = OptionKind::kInteger;
  n.required = true;
  n.min = 1;
  n.max = 1000;
  n.help = "How many rows.";
  OptionDescriptor order;
  order.name = "order_by";
  order.kind = OptionKind::kTree;
  order.required = true;
  order.help = "`expression [ASC|DESC]`, or a list of them; ties by arrival.";
  OptionDescriptor rank;
  rank.name = "rank";
  rank.kind = OptionKind::kText;
  rank.help = "Adds a column with the place, from 1. Without it rows that only changed places are not sent again.";
  OptionDescriptor window;
  window.name = "window";
  window.kind = OptionKind::kTree;
  window.help =
      "A tumbling or sliding window: the result of each leaves once, at its end, with window_start and "
      "window_end.";
  return {n, order, rank, window};
}

bool bind_top_window(const BindContext& context, const Located& tree, TopConfig& config) {
  std::string late_output;
  const auto spec = bind_window_spec(context, tree, late_output);
  if (!spec || !require_append(context, "`top` with a window")) return false;
  const bool plain = (spec->kind == WindowKind::kTumbling || spec->kind == WindowKind::kSliding) &&
                     !spec->processing_time && spec->allowed_lateness_ms == 0 && spec->early_every_ms == 0;
  if (!plain) {
    context.diagnostics->error(ErrorCode::kNotSupportedYet, tree.position,
                               "`top` takes tumbling and sliding windows of event time, without lateness");
    return false;
  }
  config.size_ms = spec->size_ms;
  config.slide_ms = spec->slide_ms;
  config.offset_ms = spec->offset_ms;
  return true;
}

bool bind_top_output(const BindContext& context, const std::string& rank, TopConfig& config, Position at) {
  auto schema = std::make_shared<Schema>(*config.input);
  bool ok = true;
  for (const char* name : {"window_start", "window_end"}) {
    if (!config.windowed()) break;
    ok = add_output_field(context, *schema, name, make_temporal(TypeKind::kTimestamp, 3, false), at) && ok;
  }
  if (!rank.empty()) ok = add_output_field(context, *schema, rank, make_type(TypeKind::kBigInt, false), at) && ok;
  config.output = schema;
  return ok;
}

/// Without an updating input only the first n rows are kept, so another n finds too few of them or too many.
std::vector<StateSchema> top_states(const TopConfig& config, std::string order_by) {
  StateSchema state;
  state.name = "top";
  state.form = config.windowed() ? "top per window" : "top";
  state.rules = {{"order_by", std::move(order_by)},
                 {"n", std::to_string(config.n)},
                 {"rows", config.updating ? "all" : "the first n"}};
  if (config.windowed()) {
    state.rules.emplace_back("size", format_duration(config.size_ms));
    state.rules.emplace_back("slide", format_duration(config.slide_ms));
    state.rules.emplace_back("offset", format_duration(config.offset_ms));
  }
  state.key = {key_field(*config.input, config.keys)};
  state.value = {list_field(
      "windows", {state_field("window_start", StateForm::kTime),
                  list_field("rows", {state_field("order", StateForm::kBytes), row_field("row", *config.input)})})};
  return {std::move(state), progress_schema("top_progress")};
}

std::optional<BoundOperator> bind_top(const BindContext& context) {
  const BindInput& input = context.inputs[0];
  const Located& tree = context.options->located("top");
  const OptionValues options = read_options(tree, top_fields(), "`top`", *context.diagnostics);
  const auto keys = bind_keys(context);
  if (!keys || !options.has("n") || !options.has("order_by")) return std::nullopt;
  if (input.changelog == Changelog::kUpsert) {
    context.diagnostics->error(ErrorCode::kBadPlan, tree.position,
                               fmt::format("top cannot read the upsert stream `{}`", input.name));
    return std::nullopt;
  }
  auto config = std::make_shared<TopConfig>();
  config->input = input.schema;
  config->keys = *keys;
  config->n = static_cast<size_t>(options.integer("n"));
  config->updating = input.changelog != Changelog::kAppend;
  config->rank = options.has("rank");
  auto order = bind_order_by(context, options.located("order_by"));
  if (!order) return std::nullopt;
  config->order = std::move(*order);
  if (options.has("window") && !bind_top_window(context, options.located("window"), *config)) return std::nullopt;
  if (!bind_top_output(context, options.text("rank"), *config, tree.position)) return std::nullopt;
  BoundOperator bound;
  bound.states = top_states(*config, order_text(options.located("order_by")));
  std::vector<uint32_t> upsert_key;
  if (config->rank && !config->windowed()) {
    upsert_key = *keys;
    upsert_key.push_back(static_cast<uint32_t>(config->output->size() - 1));
  }
  bound.outputs = {Port{"", config->output, config->windowed() ? Changelog::kAppend : Changelog::kRetract, upsert_key},
                   Port{"late", input.schema, Changelog::kAppend, {}}};
  bound.partitioning = {keys->empty() ? Partitioning::kGlobal : Partitioning::kHash};
  bound.key_columns = {*keys};
  bound.stateful = true;
  bound.single_subtask = keys->empty();
  bound.delay_ms = config->size_ms;
  bound.detail = fmt::format("top {}{}", config->n, config->windowed() ? " per window" : "");
  bound.config = std::move(config);
  return bound;
}

}  // namespace

void register_top(Registry& registry) {
  OperatorDescriptor descriptor;
  descriptor.key = "top";
  descriptor.help = "The first n rows per key in some order, as a changelog or once per window.";
  OptionDescriptor field;
  field.name = "top";
  field.kind = OptionKind::kTree;
  field.required = true;
  field.help = "n, order_by, rank, window.";
  field.example = "{n: 10, order_by: [amount DESC, seq], rank: place}";
  descriptor.fields = {std::move(field)};
  descriptor.bind = bind_top;
  registry.plan.operators["top"] = std::move(descriptor);
  registry.factories.operators["top"] = [](const Node& node, const JobGraph& /*graph*/) -> Result<OperatorPtr> {
    return make_top(std::static_pointer_cast<const TopConfig>(node.config));
  };
}

}  // namespace millrace
