#include "runtime/operators/flat_map/flat_map.h"

#include <fmt/format.h>

#include "plan/option_reader.h"
#include "runtime/expr/evaluator.h"
#include "runtime/operators/binding.h"
#include "runtime/operators/row_errors.h"

namespace millrace {

namespace {

struct FlatMapConfig final : OperatorConfig {
  TypedExprPtr list;
  std::vector<uint32_t> kept;
  bool split_fields = false;  // the element is a struct whose fields become columns
  SchemaPtr input;
  SchemaPtr output;
};

class FlatMapOperator final : public Operator {
 public:
  FlatMapOperator(std::unique_ptr<Evaluator> evaluator, std::shared_ptr<const FlatMapConfig> config, const Node& node)
      : evaluator_(std::move(evaluator)), config_(std::move(config)), errors_(node) {}

  Status open(const OperatorContext& context) override {
    clock_ = context.clock;
    errors_.open(context);
    return {};
  }

  Result<Flow> process(uint32_t /*input*/, Batch& batch, Output& out) override {
    if (!list_) MR_TRY(start(batch, out));
    pick_elements();
    emit_picked(batch, out);
    if (row_ < rows_.size()) return Flow::kMoreOutput;
    list_.reset();
    return Flow::kNeedInput;
  }

 private:
  Status start(const Batch& batch, Output& out) {
    selected_rows(batch, rows_);
    arena_ = std::make_shared<Arena>();
    std::vector<ColumnPtr> lists;
    evaluator_->evaluate(batch, rows_, lists, arena_, failed_, {.now_ms = clock_ != nullptr ? clock_->wall_ms() : 0});
    if (!failed_.empty()) {
      MR_TRY(errors_.handle(batch, *config_->input, failed_, rows_));
      errors_.flush(out);
    }
    list_ = lists[0];
    row_ = 0;
    element_ = 0;
    return {};
  }

  /// The next elements, at most one batch of them, from the cursor on.
  void pick_elements() {
    parents_.clear();
    elements_.clear();
    const std::vector<uint32_t>& offsets = list_->offsets();
    for (; row_ < rows_.size(); ++row_, element_ = 0) {
      const uint32_t row = rows_[row_];
      if (list_->is_null(row)) continue;
      const uint32_t end = offsets[row + 1];
      uint32_t at = offsets[row] + element_;
      for (; at < end && elements_.size() < kBatchRowsMax; ++at) {
        parents_.push_back(row);
        elements_.push_back(at);
      }
      if (at < end) {
        element_ = at - offsets[row];
        return;
      }
    }
  }

  void emit_picked(const Batch& batch, Output& out) {
    Batch flat;
    flat.rows = static_cast<uint32_t>(elements_.size());
    if (flat.rows == 0) return;
    for (uint32_t column : config_->kept) {
      flat.columns.push_back(picked(*batch.columns[column], *config_->input->fields[column].type, parents_));
    }
    const Column& child = *list_->children()[0];
    const DataType& type = *config_->list->type;
    if (!config_->split_fields) {
      flat.columns.push_back(picked(child, *type.children[0], elements_));
    } else {
      const std::vector<TypePtr>& types = type.kind == TypeKind::kMap ? type.children : type.children[0]->children;
      for (size_t i = 0; i < types.size(); ++i) {
        flat.columns.push_back(picked(*child.children()[i], *types[i], elements_));
      }
    }
    auto times = std::make_shared<std::vector<int64_t>>();
    auto kinds = batch.kinds ? std::make_shared<std::vector<uint8_t>>() : nullptr;
    for (uint32_t row : parents_) {
      times->push_back((*batch.event_times)[row]);
      if (kinds) kinds->push_back((*batch.kinds)[row]);
    }
    flat.event_times = std::move(times);
    flat.kinds = std::move(kinds);
    flat.arenas = batch.arenas;
    flat.arenas.push_back(arena_);
    out.emit(0, std::move(flat));
  }

  static ColumnPtr picked(const Column& from, const DataType& type, const std::vector<uint32_t>& rows) {
    auto column = make_column(type);
    append_rows(from, rows.data(), static_cast<uint32_t>(rows.size()), *column, nullptr);
    return column;
  }

  std::unique_ptr<Evaluator> evaluator_;
  std::shared_ptr<const FlatMapConfig> config_;
  RowErrorHandler errors_;
  RowErrors failed_;
  Clock* clock_ = nullptr;
  // The batch in work: its lists, and the cursor (index into rows_, element inside its list).
  ColumnPtr list_;
  ArenaPtr arena_;
  std::vector<uint32_t> rows_;
  size_t row_ = 0;
  uint32_t element_ = 0;
  std::vector<uint32_t> parents_;
  std::vector<uint32_t> elements_;
};

std::vector<OptionDescriptor> flat_map_fields() {
  OptionDescriptor unnest;
  unnest.name = "unnest";
  unnest.kind = OptionKind::kExpression;
  unnest.required = true;
  unnest.help = "A column or expression of type ARRAY or MAP.";
  unnest.example = "SPLIT(line, ' ')";
  OptionDescriptor as;
  as.name = "as";
  as.kind = OptionKind::kTextList;
  as.required = true;
  as.help = "Names of the new columns.";
  as.example = "[word]";
  OptionDescriptor keep;
  keep.name = "keep";
  keep.kind = OptionKind::kTree;
  keep.help = "`all` or a list of input columns to repeat; without it only the new columns.";
  keep.example = "all";
  return {unnest, as, keep};
}

/// The types behind the names of `as`; nothing after reporting.
std::optional<std::vector<TypePtr>> element_types(const BindContext& context, const Located& place,
                                                  const DataType& list, size_t names, bool& split) {
  std::vector<TypePtr> fields;
  split = true;
  if (list.kind == TypeKind::kMap) {
    fields = list.children;
  } else if (list.children[0]->kind == TypeKind::kRow && names == list.children[0]->children.size()) {
    for (const TypePtr& field : list.children[0]->children) {
      fields.push_back(with_nullable(field, field->nullable || list.children[0]->nullable));
    }
  } else {
    split = false;
    fields = {list.children[0]};
  }
  if (names == fields.size()) return fields;
  context.diagnostics->error(
      ErrorCode::kBadValue, place.position,
      fmt::format("`as` names {} columns, an element of {} gives {}", names, list.to_string(), fields.size()));
  return std::nullopt;
}

std::optional<BoundOperator> bind_flat_map(const BindContext& context) {
  const BindInput& input = context.inputs[0];
  const Located& tree = context.options->located("flat_map");
  const OptionValues options = read_options(tree, flat_map_fields(), "flat_map", *context.diagnostics);
  if (!options.has("unnest") || !options.has("as")) return std::nullopt;
  auto config = std::make_shared<FlatMapConfig>();
  config->input = input.schema;
  const Located& unnest = options.located("unnest");
  config->list = bind_expression(context, unnest, input_scope(context));
  if (!config->list) return std::nullopt;
  const DataType& type = *config->list->type;
  if (type.kind != TypeKind::kArray && type.kind != TypeKind::kMap) {
    context.diagnostics->error(ErrorCode::kTypeMismatch, unnest.position,
                               fmt::format("unnest needs an ARRAY or a MAP, this is {}", type.to_string()));
    return std::nullopt;
  }
  const auto kept = bind_kept(context, *input.schema, tree.find("keep"), nullptr);
  if (!kept) return std::nullopt;
  config->kept = *kept;
  auto schema = std::make_shared<Schema>();
  bool ok = true;
  for (uint32_t column : config->kept) schema->fields.push_back(input.schema->fields[column]);
  const std::vector<std::string> names = options.texts("as");
  const Located& as = options.located("as");
  const auto types = element_types(context, as, type, names.size(), config->split_fields);
  if (!types) return std::nullopt;
  for (size_t i = 0; i < names.size(); ++i) {
    ok = add_output_field(context, *schema, names[i], (*types)[i], as.position) && ok;
  }
  if (!ok) return std::nullopt;
  config->output = schema;
  BoundOperator bound;
  const Changelog changelog = input.changelog == Changelog::kAppend ? Changelog::kAppend : Changelog::kRetract;
  if (input.changelog == Changelog::kUpsert) {
    context.diagnostics->error(ErrorCode::kBadPlan, tree.position, "flat_map cannot read an upsert stream");
    return std::nullopt;
  }
  bound.outputs = {Port{"", schema, changelog, {}}};
  bound.partitioning = {Partitioning::kForward};
  std::vector<uint32_t> reads = read_columns(std::span(&config->list, 1));
  reads.insert(reads.end(), config->kept.begin(), config->kept.end());
  bound.reads.emplace().push_back(std::move(reads));
  bound.detail = options.text("unnest");
  bound.config = std::move(config);
  return bound;
}

}  // namespace

void register_flat_map(Registry& registry) {
  OperatorDescriptor descriptor;
  descriptor.key = "flat_map";
  descriptor.help = "One row per element of an ARRAY or entry of a MAP.";
  OptionDescriptor field;
  field.name = "flat_map";
  field.kind = OptionKind::kTree;
  field.required = true;
  field.help = "`unnest`: a column or expression; `as`: names of the new columns; `keep`: `all` or a list.";
  field.example = "{unnest: \"SPLIT(line, ' ')\", as: [word]}";
  descriptor.fields = {std::move(field)};
  descriptor.bind = bind_flat_map;
  registry.plan.operators["flat_map"] = std::move(descriptor);
  registry.factories.operators["flat_map"] = [](const Node& node, const JobGraph& /*graph*/) -> Result<OperatorPtr> {
    auto config = std::static_pointer_cast<const FlatMapConfig>(node.config);
    MR_ASSIGN(auto evaluator, Evaluator::make({config->list}));
    return std::make_unique<FlatMapOperator>(std::move(evaluator), std::move(config), node);
  };
}

}  // namespace millrace
