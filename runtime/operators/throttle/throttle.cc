#include "runtime/operators/throttle/throttle.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "runtime/operators/binding.h"

namespace millrace {
namespace {

constexpr double kThrottleBurstMs = 100;  // what may be caught up after a pause

struct ThrottleConfig final : OperatorConfig {
  double rows_per_second = 1;
};

/// One row is due every 1/rate seconds; a batch leaves in pieces.
class ThrottleOperator final : public Operator {
 public:
  explicit ThrottleOperator(double rows_per_second) : rate_(rows_per_second) {}

  Status open(const OperatorContext& context) override {
    clock_ = context.clock;
    pause_ms_ = 1000.0 * context.parallelism / rate_;
    due_ms_ = static_cast<double>(clock_->wall_ms());
    return {};
  }

  Result<Flow> process(uint32_t /*input*/, Batch& batch, Output& out) override {
    const auto now_ms = static_cast<double>(clock_->wall_ms());
    due_ms_ = std::max(due_ms_, now_ms - kThrottleBurstMs);
    if (due_ms_ > now_ms) return Flow::kBlocked;
    const uint32_t rows = batch.selected();
    const double allowed = std::floor((now_ms - due_ms_) / pause_ms_) + 1;
    const uint32_t count = std::min(rows - passed_, static_cast<uint32_t>(std::min(allowed, 1e6)));
    due_ms_ += count * pause_ms_;
    if (count == rows) {
      out.emit(0, std::move(batch));
      return Flow::kNeedInput;
    }
    std::vector<uint32_t> kept;
    for (uint32_t i = passed_; i < passed_ + count; ++i) kept.push_back(batch.row_at(i));
    Batch piece = batch;
    piece.selection = std::make_shared<const std::vector<uint32_t>>(std::move(kept));
    out.emit(0, std::move(piece));
    passed_ += count;
    if (passed_ < rows) return Flow::kMoreOutput;
    passed_ = 0;
    return Flow::kNeedInput;
  }

  [[nodiscard]] int64_t retry_at_ms() const override { return static_cast<int64_t>(std::ceil(due_ms_)); }

 private:
  double rate_;
  double pause_ms_ = 0;
  double due_ms_ = 0;  // when the next row may pass
  uint32_t passed_ = 0;
  Clock* clock_ = nullptr;
};

std::optional<BoundOperator> bind_throttle(const BindContext& context) {
  const BindInput& input = context.inputs[0];
  auto config = std::make_shared<ThrottleConfig>();
  config->rows_per_second = context.options->number("throttle");
  if (!(config->rows_per_second > 0)) {
    context.diagnostics->error(ErrorCode::kBadValue, context.options->located("throttle").position,
                               "throttle: is a number of rows per second, above 0");
    return std::nullopt;
  }
  BoundOperator bound;
  bound.outputs = {Port{"", input.schema, input.changelog, input.upsert_key}};
  bound.partitioning = {Partitioning::kForward};
  bound.reads.emplace(1);
  bound.passes_through = true;
  bound.detail = fmt::format("{} rows per second", config->rows_per_second);
  bound.config = std::move(config);
  return bound;
}

}  // namespace

void register_throttle(Registry& registry) {
  OperatorDescriptor descriptor;
  descriptor.key = "throttle";
  descriptor.help = "Lets rows pass at a steady pace, for development.";
  OptionDescriptor field;
  field.name = "throttle";
  field.kind = OptionKind::kNumber;
  field.required = true;
  field.help = "Rows per second over all subtasks, above 0.";
  field.example = "100";
  descriptor.fields = {std::move(field)};
  descriptor.bind = bind_throttle;
  registry.plan.operators["throttle"] = std::move(descriptor);
  registry.factories.operators["throttle"] = [](const Node& node, const JobGraph& /*graph*/) -> Result<OperatorPtr> {
    return std::make_unique<ThrottleOperator>(static_cast<const ThrottleConfig&>(*node.config).rows_per_second);
  };
}

}  // namespace millrace
