#include "runtime/operators/filter/filter.h"

#include "runtime/expr/evaluator.h"
#include "runtime/operators/binding.h"
#include "runtime/operators/row_errors.h"

namespace millrace {

namespace {

struct FilterConfig final : OperatorConfig {
  TypedExprPtr condition;
  SchemaPtr schema;
};

class FilterOperator final : public Operator {
 public:
  FilterOperator(std::unique_ptr<Predicate> predicate, SchemaPtr schema, const Node& node)
      : predicate_(std::move(predicate)), schema_(std::move(schema)), errors_(node) {}

  Status open(const OperatorContext& context) override {
    clock_ = context.clock;
    errors_.open(context);
    return {};
  }

  Result<Flow> process(uint32_t /*input*/, Batch& batch, Output& out) override {
    selected_rows(batch, rows_);
    const size_t before = rows_.size();
    predicate_->filter(batch, rows_, failed_, {.now_ms = clock_ != nullptr ? clock_->wall_ms() : 0});
    if (!failed_.empty()) {
      std::vector<uint32_t> all;
      selected_rows(batch, all);
      MR_TRY(errors_.handle(batch, *schema_, failed_, all));
      errors_.flush(out);
    }
    if (rows_.empty()) return Flow::kNeedInput;
    Batch passed = std::move(batch);
    if (rows_.size() < before) passed.selection = std::make_shared<const std::vector<uint32_t>>(rows_);
    out.emit(0, std::move(passed));
    return Flow::kNeedInput;
  }

 private:
  std::unique_ptr<Predicate> predicate_;
  SchemaPtr schema_;
  RowErrorHandler errors_;
  RowErrors failed_;
  std::vector<uint32_t> rows_;
  Clock* clock_ = nullptr;
};

std::optional<BoundOperator> bind_filter(const BindContext& context) {
  auto config = std::make_shared<FilterConfig>();
  const BindInput& input = context.inputs[0];
  config->schema = input.schema;
  config->condition = bind_predicate(context, context.options->located("filter"), input_scope(context));
  if (!config->condition) return std::nullopt;
  BoundOperator bound;
  bound.outputs = {Port{"", input.schema, input.changelog, input.upsert_key}};
  bound.partitioning = {Partitioning::kForward};
  bound.reads.emplace().push_back(read_columns(std::span(&config->condition, 1)));
  bound.passes_through = true;
  bound.detail = context.options->text("filter");
  bound.config = std::move(config);
  return bound;
}

}  // namespace

void register_filter(Registry& registry) {
  OperatorDescriptor descriptor;
  descriptor.key = "filter";
  descriptor.help = "Keeps the rows for which a condition is TRUE.";
  OptionDescriptor field;
  field.name = "filter";
  field.kind = OptionKind::kExpression;
  field.required = true;
  field.help = "A BOOLEAN expression over the columns of the input.";
  field.example = "event_type = 'purchase' AND amount > 10";
  descriptor.fields = {std::move(field)};
  descriptor.bind = bind_filter;
  registry.plan.operators["filter"] = std::move(descriptor);
  registry.factories.operators["filter"] = [](const Node& node, const JobGraph& /*graph*/) -> Result<OperatorPtr> {
    const auto& config = static_cast<const FilterConfig&>(*node.config);
    MR_ASSIGN(auto predicate, Predicate::make(config.condition));
    return std::make_unique<FilterOperator>(std::move(predicate), config.schema, node);
  };
}

}  // namespace millrace
