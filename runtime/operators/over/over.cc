#include "runtime/operators/over/over.h"

#include <fmt/format.h>

#include <algorithm>

#include "plan/expr/ast.h"
#include "plan/option_reader.h"
#include "plan/option_text.h"
#include "runtime/operators/binding.h"
#include "runtime/operators/over/over_rows.h"
#include "runtime/operators/state_fields.h"

namespace millrace {
namespace {

std::vector<OptionDescriptor> over_fields() {
  OptionDescriptor rows;
  rows.name = "rows";
  rows.kind = OptionKind::kTree;
  rows.help = "How many rows before the row belong to its frame, or `unbounded`.";
  OptionDescriptor range;
  range.name = "range";
  range.kind = OptionKind::kTree;
  range.help = "How far back in event time the frame reaches, or `unbounded`; rows of the same time share it.";
  OptionDescriptor columns;
  columns.name = "columns";
  columns.kind = OptionKind::kTree;
  columns.required = true;
  columns.help = "`name: expression` with aggregates, ROW_NUMBER(), or only LAG(x, offset, default).";
  return {rows, range, columns};
}

class OverBinder {
 public:
  explicit OverBinder(const BindContext& context)
      : context_(context), tree_(context.options->located("over")), scope_(input_scope(context)) {}

  std::optional<BoundOperator> bind() {
    const OptionValues options = read_options(tree_, over_fields(), "`over`", *context_.diagnostics);
    const auto keys = bind_keys(context_);
    if (!require_append(context_, "over") || !keys || !options.has("columns")) return std::nullopt;
    config_->input = context_.inputs[0].schema;
    config_->keys = *keys;
    schema_ = std::make_shared<Schema>(*config_->input);
    const Located& columns = options.located("columns");
    if (columns.kind != Located::Kind::kMap || columns.entries.empty()) {
      return refuse(ErrorCode::kWrongShape, columns.position, "over: needs columns such as `total: SUM(amount)`");
    }
    size_t lags = 0;
    for (const Located::Entry& entry : columns.entries) lags += is_call(entry.value.text, "LAG") ? 1 : 0;
    if (lags > 0 && lags < columns.entries.size()) {
      return refuse(ErrorCode::kNotSupportedYet, columns.position, "LAG and aggregates need an `over` step each");
    }
    bool ok = lags > 0 ? no_frame(options) : bind_frame(options);
    for (const Located::Entry& entry : columns.entries) {
      ok = (lags > 0 ? bind_lag(entry) : bind_aggregate_column(entry)) && ok;
    }
    if (!ok) return std::nullopt;
    return bound();
  }

 private:
  std::nullopt_t refuse(ErrorCode code, Position at, std::string message) {
    context_.diagnostics->error(code, at, std::move(message));
    return std::nullopt;
  }
  bool fail(ErrorCode code, Position at, std::string message) {
    refuse(code, at, std::move(message));
    return false;
  }

  static bool is_call(const std::string& text, std::string_view name) {
    const auto ast = parse_expression(text);
    return ast && (*ast)->kind == AstKind::kCall && (*ast)->name == name;
  }

  bool no_frame(const OptionValues& options) {
    config_->frame = OverFrame::kLag;
    if (!options.has("rows") && !options.has("range")) return true;
    return fail(ErrorCode::kBadPlan, tree_.position, "LAG has no frame: leave `rows` and `range` out");
  }

  bool bind_frame(const OptionValues& options) {
    if (options.has("rows") == options.has("range")) {
      return fail(ErrorCode::kMissingField, tree_.position, "over: needs either `rows` or `range`");
    }
    const bool rows = options.has("rows");
    const Located& at = options.located(rows ? "rows" : "range");
    if (at.text == "unbounded") {
      config_->frame = rows ? OverFrame::kAllRows : OverFrame::kAllRange;
      return true;
    }
    config_->frame = rows ? OverFrame::kRows : OverFrame::kRange;
    OptionDescriptor field;
    field.name = rows ? "rows" : "range";
    field.kind = rows ? OptionKind::kInteger : OptionKind::kDuration;
    field.min = 0;
    field.max = rows ? std::optional<int64_t>(100'000) : std::nullopt;
    const auto value = read_option(at, field, *context_.diagnostics);
    if (value) config_->preceding = std::get<int64_t>(value->value);
    return value.has_value();
  }

  bool bind_aggregate_column(const Located::Entry& entry) {
    Located text = entry.value;
    if (is_call(text.text, "ROW_NUMBER")) {
      if (config_->frame != OverFrame::kAllRows) {
        return fail(ErrorCode::kBadPlan, text.position, "ROW_NUMBER() needs `rows: unbounded`");
      }
      text.text = "COUNT(*)";
    }
    auto compiled = compile_aggregate(text.text, scope_, scope_, config_->calls.size(), *context_.functions);
    if (!compiled) {
      context_.diagnostics->expression(text, compiled.error());
      return false;
    }
    for (AggregateCall& call : compiled->calls) {
      call.output = entry.key;
      config_->calls.push_back(std::move(call));
    }
    config_->results.push_back(compiled->result);
    return add_output_field(context_, *schema_, entry.key, compiled->result->type, entry.key_position);
  }

  TypedExprPtr compile_part(const Located::Entry& entry, const Ast& part) {
    Located text = entry.value;
    text.text = text.text.substr(part.begin, part.end - part.begin);
    return bind_expression(context_, text, scope_);
  }

  bool bind_lag(const Located::Entry& entry) {
    const auto ast = parse_expression(entry.value.text);
    const std::vector<AstPtr>& args = (*ast)->args;
    if (args.empty() || args.size() > 3) {
      return fail(ErrorCode::kTypeMismatch, entry.value.position, "LAG takes a value, an offset and a default");
    }
    OverLag lag;
    lag.value = compile_part(entry, *args[0]);
    if (!lag.value) return false;
    if (args.size() > 1) {
      const TypedExprPtr offset = compile_part(entry, *args[1]);
      if (!offset) return false;
      const auto* number = std::get_if<int64_t>(&offset->literal);
      if (offset->kind != ExprKind::kLiteral || number == nullptr || *number < 0 || *number > 100'000) {
        return fail(ErrorCode::kBadValue, entry.value.position, "the offset of LAG is a number from 0 to 100000");
      }
      lag.offset = *number;
    }
    TypePtr type = with_nullable(lag.value->type, true);
    if (args.size() > 2) {
      TypedExprPtr otherwise = compile_part(entry, *args[2]);
      if (!otherwise) return false;
      auto coerced = coerce_expression(otherwise, with_nullable(lag.value->type, true));
      if (!coerced) return fail(ErrorCode::kTypeMismatch, entry.value.position, "the default of LAG has another type");
      lag.otherwise = *coerced;
    }
    config_->lags.push_back(std::move(lag));
    return add_output_field(context_, *schema_, entry.key, type, entry.key_position);
  }

  std::string frame_text() const {
    switch (config_->frame) {
      case OverFrame::kRows:
        return fmt::format("rows: {}", config_->preceding);
      case OverFrame::kAllRows:
        return "rows: unbounded";
      case OverFrame::kRange:
        return "range: " + format_duration(config_->preceding);
      case OverFrame::kAllRange:
        return "range: unbounded";
      case OverFrame::kLag: {
        int64_t most = 0;
        for (const OverLag& lag : config_->lags) most = std::max(most, lag.offset);
        return fmt::format("LAG over {} rows", most);
      }
    }
    return {};
  }

  std::vector<StateSchema> states() const {
    StateSchema state;
    state.name = "over";
    state.form = "over";
    state.rules = {{"frame", frame_text()}};
    state.key = {key_field(*config_->input, config_->keys)};
    const StateField row = row_field("row", *config_->input);
    const StateField time = state_field("time", StateForm::kTime);
    state.value = {state_field("last", StateForm::kTime), state_field("clean_up", StateForm::kTime),
                   list_field("timers", {time}), list_field("waiting", {time, list_field("rows", {row})}),
                   list_field("handled", {time, row})};
    std::vector<StateSchema> states = {state, progress_schema("over_progress")};
    if (!config_->keeps_totals()) return states;
    state.name = "over_totals";
    state.value = {state_field("rows", StateForm::kUint64)};
    for (StateField& field : aggregate_fields(config_->calls, config_->results, config_->input->size()))
      state.value.push_back(std::move(field));
    states.push_back(std::move(state));
    return states;
  }

  std::optional<BoundOperator> bound() {
    BoundOperator bound;
    bound.states = states();
    config_->output = schema_;
    bound.outputs = {Port{"", schema_, Changelog::kAppend, {}}, Port{"late", config_->input, Changelog::kAppend, {}}};
    bound.partitioning = {config_->keys.empty() ? Partitioning::kGlobal : Partitioning::kHash};
    bound.key_columns = {config_->keys};
    bound.stateful = true;
    bound.single_subtask = config_->keys.empty();
    bound.detail = fmt::format("{} columns over rows before", schema_->size() - config_->input->size());
    bound.config = config_;
    return bound;
  }

  const BindContext& context_;
  const Located& tree_;
  Scope scope_;
  std::shared_ptr<OverConfig> config_ = std::make_shared<OverConfig>();
  std::shared_ptr<Schema> schema_;
};

}  // namespace

void register_over(Registry& registry) {
  OperatorDescriptor descriptor;
  descriptor.key = "over";
  descriptor.help =
      "Adds columns computed from each row and the rows before it, in the order of event time; rows that "
      "come too late go to `.late`.";
  OptionDescriptor field;
  field.name = "over";
  field.kind = OptionKind::kTree;
  field.required = true;
  field.help = "rows or range, columns.";
  field.example = "{rows: 4, columns: {moving_average: AVG(amount)}}";
  descriptor.fields = {std::move(field)};
  descriptor.bind = [](const BindContext& context) { return OverBinder(context).bind(); };
  registry.plan.operators["over"] = std::move(descriptor);
  registry.factories.operators["over"] = [](const Node& node, const JobGraph& /*graph*/) -> Result<OperatorPtr> {
    return make_over(std::static_pointer_cast<const OverConfig>(node.config));
  };
}

}  // namespace millrace
