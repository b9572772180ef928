#include "runtime/operators/print/print.h"

#include <fmt/format.h>

#include <cstdio>

#include "runtime/operators/binding.h"
#include "runtime/operators/row_text.h"

namespace millrace {
namespace {

struct PrintConfig final : OperatorConfig {
  SchemaPtr schema;
  bool updating = false;
  int64_t limit = 0;  // 0: all
};

/// Standard output belongs to print sinks, so this goes to standard error, one write a batch.
class PrintOperator final : public Operator {
 public:
  explicit PrintOperator(std::shared_ptr<const PrintConfig> config) : config_(std::move(config)) {}

  Status open(const OperatorContext& context) override {
    step_ = context.step;
    return {};
  }

  Result<Flow> process(uint32_t /*input*/, Batch& batch, Output& out) override {
    static constexpr std::string_view kOps[] = {"+I ", "-U ", "+U ", "-D "};
    std::string lines;
    for_each_row(batch, [&](uint32_t row) {
      if (config_->limit > 0 && shown_ >= config_->limit) return;
      ++shown_;
      const std::string_view op = config_->updating ? kOps[static_cast<size_t>(batch.kind(row))] : "";
      lines += fmt::format("{}: {}{}\n", step_, op, row_text(batch, *config_->schema, row));
    });
    (void)std::fwrite(lines.data(), 1, lines.size(), stderr);
    out.emit(0, std::move(batch));
    return Flow::kNeedInput;
  }

 private:
  std::shared_ptr<const PrintConfig> config_;
  std::string step_;
  int64_t shown_ = 0;
};

std::optional<BoundOperator> bind_print(const BindContext& context) {
  const BindInput& input = context.inputs[0];
  auto config = std::make_shared<PrintConfig>();
  config->schema = input.schema;
  config->updating = input.changelog != Changelog::kAppend;
  config->limit = context.options->integer("print");
  BoundOperator bound;
  bound.outputs = {Port{"", input.schema, input.changelog, input.upsert_key}};
  bound.partitioning = {Partitioning::kForward};
  bound.detail = config->limit > 0 ? fmt::format("the first {} rows", config->limit) : "all rows";
  bound.config = std::move(config);
  return bound;
}

}  // namespace

void register_print_step(Registry& registry) {
  OperatorDescriptor descriptor;
  descriptor.key = "print";
  descriptor.help = "Shows rows that pass on standard error, for development.";
  OptionDescriptor field;
  field.name = "print";
  field.kind = OptionKind::kInteger;
  field.required = true;
  field.min = 0;
  field.help = "How many rows each subtask shows; 0: all of them.";
  field.example = "20";
  descriptor.fields = {std::move(field)};
  descriptor.bind = bind_print;
  registry.plan.operators["print"] = std::move(descriptor);
  registry.factories.operators["print"] = [](const Node& node, const JobGraph& /*graph*/) -> Result<OperatorPtr> {
    return std::make_unique<PrintOperator>(std::static_pointer_cast<const PrintConfig>(node.config));
  };
}

}  // namespace millrace
