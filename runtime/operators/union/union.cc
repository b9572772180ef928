#include "runtime/operators/union/union.h"

#include <fmt/format.h>

#include "runtime/operators/binding.h"

namespace millrace {

namespace {

class UnionOperator final : public Operator {
 public:
  Status open(const OperatorContext& /*context*/) override { return {}; }
  Result<Flow> process(uint32_t /*input*/, Batch& batch, Output& out) override {
    out.emit(0, std::move(batch));
    return Flow::kNeedInput;
  }
};

struct UnionConfig final : OperatorConfig {};

bool same_columns(const BindContext& context, const BindInput& first, const BindInput& other, Schema& merged) {
  const Position at = context.step_yaml->position;
  if (first.schema->size() != other.schema->size()) {
    context.diagnostics->error(ErrorCode::kTypeMismatch, at,
                               fmt::format("`{}` has {} columns, `{}` has {}", first.name, first.schema->size(),
                                           other.name, other.schema->size()));
    return false;
  }
  bool ok = true;
  for (size_t i = 0; i < first.schema->size(); ++i) {
    const Field& a = first.schema->fields[i];
    const Field& b = other.schema->fields[i];
    if (a.name == b.name && same_type(*a.type, *b.type)) {
      if (b.type->nullable) merged.fields[i].type = with_nullable(merged.fields[i].type, true);
      continue;
    }
    context.diagnostics->error(ErrorCode::kTypeMismatch, at,
                               fmt::format("column {} is `{} {}` in `{}` and `{} {}` in `{}`", i + 1, a.name,
                                           a.type->to_string(), first.name, b.name, b.type->to_string(), other.name),
                               "make the columns equal with `map:` first");
    ok = false;
  }
  return ok;
}

std::optional<BoundOperator> bind_union(const BindContext& context) {
  const BindInput& first = context.inputs[0];
  auto schema = std::make_shared<Schema>(*first.schema);
  bool ok = true;
  BoundOperator bound;
  Changelog changelog = first.changelog;
  for (const BindInput& input : context.inputs) {
    ok = same_columns(context, first, input, *schema) && ok;
    // An upsert key of one input says nothing about the rows of another.
    if (input.changelog != Changelog::kAppend) changelog = Changelog::kRetract;
    if (input.changelog == Changelog::kUpsert) {
      context.diagnostics->error(ErrorCode::kBadPlan, context.step_yaml->position,
                                 fmt::format("union cannot read the upsert stream `{}`", input.name));
      ok = false;
    }
    bound.partitioning.push_back(Partitioning::kForward);
  }
  if (!ok) return std::nullopt;
  bound.outputs = {Port{"", schema, changelog, {}}};
  bound.reads.emplace(context.inputs.size());
  bound.passes_through = true;
  bound.detail = fmt::format("{} inputs", context.inputs.size());
  bound.config = std::make_shared<UnionConfig>();
  return bound;
}

}  // namespace

void register_union(Registry& registry) {
  OperatorDescriptor descriptor;
  descriptor.key = "union";
  descriptor.inputs_max = UINT32_MAX;
  descriptor.help = "All rows of several inputs with equal columns.";
  OptionDescriptor field;
  field.name = "union";
  field.kind = OptionKind::kTextList;
  field.required = true;
  field.help = "Names of the inputs.";
  field.example = "[eu_orders, us_orders]";
  descriptor.fields = {std::move(field)};
  descriptor.inputs = [](const Located& step) {
    std::vector<const Located*> names;
    const Located* list = step.find("union");
    if (list->is_scalar()) names.push_back(list);
    for (const Located& item : list->items) names.push_back(&item);
    return names;
  };
  descriptor.bind = bind_union;
  registry.plan.operators["union"] = std::move(descriptor);
  registry.factories.operators["union"] = [](const Node& /*node*/, const JobGraph& /*graph*/) -> Result<OperatorPtr> {
    return std::make_unique<UnionOperator>();
  };
}

}  // namespace millrace
