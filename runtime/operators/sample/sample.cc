#include "runtime/operators/sample/sample.h"

#include <fmt/format.h>

#include "core/random.h"
#include "runtime/operators/binding.h"

namespace millrace {
namespace {

struct SampleConfig final : OperatorConfig {
  double fraction = 1;
};

class SampleOperator final : public Operator {
 public:
  explicit SampleOperator(double fraction) : fraction_(fraction) {}

  Status open(const OperatorContext& context) override {
    random_ = std::make_unique<SeededRandom>(context.subtask + 1);
    return {};
  }

  Result<Flow> process(uint32_t /*input*/, Batch& batch, Output& out) override {
    std::vector<uint32_t> kept;
    for_each_row(batch, [&](uint32_t row) {
      if (random_->unit() < fraction_) kept.push_back(row);
    });
    if (kept.empty()) return Flow::kNeedInput;
    Batch passed = std::move(batch);
    passed.selection = std::make_shared<const std::vector<uint32_t>>(std::move(kept));
    out.emit(0, std::move(passed));
    return Flow::kNeedInput;
  }

 private:
  double fraction_;
  std::unique_ptr<Random> random_;
};

std::optional<BoundOperator> bind_sample(const BindContext& context) {
  const BindInput& input = context.inputs[0];
  auto config = std::make_shared<SampleConfig>();
  config->fraction = context.options->number("sample");
  if (!(config->fraction > 0 && config->fraction <= 1)) {
    context.diagnostics->error(ErrorCode::kBadValue, context.options->located("sample").position,
                               "sample: is a part of all rows, above 0 and at most 1");
    return std::nullopt;
  }
  // Half of an update would leave rows that nobody takes back.
  if (!require_append(context, "sample")) return std::nullopt;
  BoundOperator bound;
  bound.outputs = {Port{"", input.schema, Changelog::kAppend, {}}};
  bound.partitioning = {Partitioning::kForward};
  bound.reads.emplace(1);
  bound.passes_through = true;
  bound.detail = fmt::format("{} of the rows", config->fraction);
  bound.config = std::move(config);
  return bound;
}

}  // namespace

void register_sample(Registry& registry) {
  OperatorDescriptor descriptor;
  descriptor.key = "sample";
  descriptor.help = "Keeps a random part of the rows, for development.";
  OptionDescriptor field;
  field.name = "sample";
  field.kind = OptionKind::kNumber;
  field.required = true;
  field.help = "The part that is kept, above 0 and at most 1.";
  field.example = "0.01";
  descriptor.fields = {std::move(field)};
  descriptor.bind = bind_sample;
  registry.plan.operators["sample"] = std::move(descriptor);
  registry.factories.operators["sample"] = [](const Node& node, const JobGraph& /*graph*/) -> Result<OperatorPtr> {
    return std::make_unique<SampleOperator>(static_cast<const SampleConfig&>(*node.config).fraction);
  };
}

}  // namespace millrace
