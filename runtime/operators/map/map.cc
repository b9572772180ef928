#include "runtime/operators/map/map.h"

#include <fmt/format.h>

#include "runtime/expr/evaluator.h"
#include "runtime/operators/binding.h"
#include "runtime/operators/row_errors.h"

namespace millrace {

namespace {

struct MapConfig final : OperatorConfig {
  std::vector<TypedExprPtr> columns;  // one per output column; kept ones are bare references
  SchemaPtr input;
};

class MapOperator final : public Operator {
 public:
  MapOperator(std::unique_ptr<Evaluator> evaluator, SchemaPtr input, const Node& node)
      : evaluator_(std::move(evaluator)), input_(std::move(input)), errors_(node) {}

  Status open(const OperatorContext& context) override {
    clock_ = context.clock;
    errors_.open(context);
    return {};
  }

  Result<Flow> process(uint32_t /*input*/, Batch& batch, Output& out) override {
    selected_rows(batch, rows_);
    const auto arena = std::make_shared<Arena>();
    Batch mapped;
    evaluator_->evaluate(batch, rows_, mapped.columns, arena, failed_,
                         {.now_ms = clock_ != nullptr ? clock_->wall_ms() : 0});
    const bool failed = !failed_.empty();
    if (failed) {
      MR_TRY(errors_.handle(batch, *input_, failed_, rows_));
      errors_.flush(out);
    }
    mapped.rows = batch.rows;
    mapped.event_times = batch.event_times;
    mapped.kinds = batch.kinds;
    mapped.selection = failed ? std::make_shared<const std::vector<uint32_t>>(rows_) : batch.selection;
    mapped.arenas = batch.arenas;
    if (arena->bytes() > 0) mapped.arenas.push_back(arena);
    out.emit(0, std::move(mapped));
    return Flow::kNeedInput;
  }

 private:
  std::unique_ptr<Evaluator> evaluator_;
  SchemaPtr input_;
  RowErrorHandler errors_;
  RowErrors failed_;
  std::vector<uint32_t> rows_;
  Clock* clock_ = nullptr;
};

TypedExprPtr column_reference(uint32_t column, const TypePtr& type) {
  auto reference = std::make_shared<TypedExpr>();
  reference->kind = ExprKind::kColumn;
  reference->column = column;
  reference->type = type;
  return reference;
}

/// Where the upsert key went, when all of its columns are still there unchanged.
std::vector<uint32_t> map_upsert_key(const BindInput& input, const std::vector<TypedExprPtr>& columns) {
  std::vector<uint32_t> mapped;
  for (uint32_t key : input.upsert_key) {
    for (uint32_t i = 0; i < columns.size(); ++i) {
      if (columns[i]->kind != ExprKind::kColumn || columns[i]->column != key) continue;
      mapped.push_back(i);
      break;
    }
  }
  if (mapped.size() != input.upsert_key.size()) mapped.clear();
  return mapped;
}

std::optional<BoundOperator> bind_map(const BindContext& context) {
  const BindInput& input = context.inputs[0];
  const Located& tree = context.options->located("map");
  if (tree.kind != Located::Kind::kMap) {
    context.diagnostics->error(ErrorCode::kWrongShape, tree.position,
                               "map: needs `keep:` or `name: expression` entries");
    return std::nullopt;
  }
  auto config = std::make_shared<MapConfig>();
  config->input = input.schema;
  auto schema = std::make_shared<Schema>();
  const auto kept = bind_kept(context, *input.schema, tree.find("keep"), tree.find("drop"));
  if (!kept) return std::nullopt;
  for (uint32_t column : *kept) {
    const Field& field = input.schema->fields[column];
    if (schema->find(field.name)) continue;  // listed twice
    schema->fields.push_back(field);
    config->columns.push_back(column_reference(column, field.type));
  }
  const Scope scope = input_scope(context);
  bool ok = true;
  for (const Located::Entry& entry : tree.entries) {
    if (entry.key == "keep" || entry.key == "drop") continue;
    const TypedExprPtr typed = bind_expression(context, entry.value, scope);
    ok = ok && typed != nullptr;
    if (!typed) continue;
    if (auto replaced = schema->find(entry.key)) {
      schema->fields[*replaced].type = typed->type;
      config->columns[*replaced] = typed;
    } else {
      schema->fields.push_back({entry.key, typed->type});
      config->columns.push_back(typed);
    }
  }
  if (!ok) return std::nullopt;
  if (schema->fields.empty()) {
    context.diagnostics->error(ErrorCode::kMissingField, tree.position, "map: has no columns");
    return std::nullopt;
  }
  BoundOperator bound;
  const auto upsert_key = map_upsert_key(input, config->columns);
  if (input.changelog == Changelog::kUpsert && upsert_key.empty()) {
    context.diagnostics->error(ErrorCode::kBadPlan, tree.position, "map: drops a column of the key of an upsert stream",
                               "keep the key columns");
    return std::nullopt;
  }
  bound.outputs = {Port{"", schema, input.changelog, upsert_key}};
  bound.partitioning = {Partitioning::kForward};
  bound.reads.emplace().push_back(read_columns(config->columns));
  bound.detail = fmt::format("{} columns", schema->size());
  bound.config = std::move(config);
  return bound;
}

}  // namespace

void register_map(Registry& registry) {
  OperatorDescriptor descriptor;
  descriptor.key = "map";
  descriptor.help = "Computes columns: `keep: all` or a list, `drop: [..]`, then `name: expression`.";
  OptionDescriptor field;
  field.name = "map";
  field.kind = OptionKind::kTree;
  field.required = true;
  field.help = "`keep: all` or a list of columns, `drop:` a list, and computed columns as `name: expression`.";
  field.example = "{keep: all, total: price * quantity}";
  descriptor.fields = {std::move(field)};
  descriptor.bind = bind_map;
  registry.plan.operators["map"] = std::move(descriptor);
  registry.factories.operators["map"] = [](const Node& node, const JobGraph& /*graph*/) -> Result<OperatorPtr> {
    const auto& config = static_cast<const MapConfig&>(*node.config);
    MR_ASSIGN(auto evaluator, Evaluator::make(config.columns));
    return std::make_unique<MapOperator>(std::move(evaluator), config.input, node);
  };
}

}  // namespace millrace
