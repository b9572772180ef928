#include "runtime/operators/window/output.h"

#include <numeric>

#include "data/key_format.h"

namespace millrace {

Result<std::unique_ptr<WindowOutput>> WindowOutput::make(std::shared_ptr<const WindowConfig> config,
                                                         std::shared_ptr<AggregateRow> aggregates, const Node& node) {
  std::unique_ptr<WindowOutput> output(new WindowOutput(std::move(config), std::move(aggregates), node));
  MR_ASSIGN(output->results_, Evaluator::make(output->config_->results));
  if (output->config_->having) {
    MR_ASSIGN(output->having_, Predicate::make(output->config_->having));
  }
  return output;
}

void WindowOutput::open(const OperatorContext& context) {
  clock_ = context.clock;
  errors_.open(context);
}

Status WindowOutput::decode_keys(std::span<const std::string_view> keys, Batch& batch, Arena& arena) const {
  std::vector<std::shared_ptr<Column>> columns;
  for (const TypePtr& type : config_->key_types) columns.push_back(make_column(*type));
  for (std::string_view key : keys) {
    if (!decode_key(key, config_->key_types, columns, arena)) {
      return make_error(ErrorCode::kInternal, "a key of the window's state cannot be decoded");
    }
  }
  batch.columns.assign(columns.begin(), columns.end());
  return {};
}

namespace {

void append_bounds(std::span<const WindowBounds> bounds, Batch& batch) {
  auto starts = std::make_shared<Column>(PhysicalType::kInt64);
  auto ends = std::make_shared<Column>(PhysicalType::kInt64);
  starts->resize(batch.rows);
  ends->resize(batch.rows);
  for (uint32_t i = 0; i < batch.rows; ++i) {
    starts->values<int64_t>()[i] = bounds[i].start;
    ends->values<int64_t>()[i] = bounds[i].end;
  }
  batch.columns.push_back(std::move(starts));
  batch.columns.push_back(std::move(ends));
}

}  // namespace

Result<Batch> WindowOutput::build(std::span<const std::string_view> keys, std::span<const char* const> states,
                                  std::span<const WindowBounds> bounds, int64_t watermark) {
  const auto rows = static_cast<uint32_t>(states.size());
  const auto arena = std::make_shared<Arena>();
  Batch inner;
  inner.rows = rows;
  MR_TRY(decode_keys(keys, inner, *arena));
  auto times = std::make_shared<std::vector<int64_t>>(rows);
  for (uint32_t i = 0; i < rows; ++i) (*times)[i] = bounds[i].end - 1;
  const bool bounded = config_->spec.has_bounds();
  if (bounded) append_bounds(bounds, inner);
  inner.event_times = times;
  aggregates_->finish(states, inner.columns, *arena, failed_);

  Batch result;
  result.rows = rows;
  result.event_times = times;
  result.arenas.push_back(arena);
  const size_t prefix = config_->keys.size() + (bounded ? 2 : 0);
  result.columns.assign(inner.columns.begin(), inner.columns.begin() + static_cast<std::ptrdiff_t>(prefix));
  std::vector<uint32_t> selected(rows);
  std::iota(selected.begin(), selected.end(), 0U);
  const EvalContext context{.now_ms = clock_ != nullptr ? clock_->wall_ms() : 0, .watermark = watermark};
  results_->evaluate(inner, selected, result.columns, arena, failed_, context);
  if (having_) {
    Batch scope = result;
    scope.columns.insert(scope.columns.end(),
                         inner.columns.begin() + static_cast<std::ptrdiff_t>(prefix + config_->result_calls),
                         inner.columns.end());
    having_->filter(scope, selected, failed_, context);
  }
  if (!failed_.empty()) {
    // Failed rows of `having` did not pass and are not in `selected` any more; the handler wants to see them.
    std::vector<uint32_t> all(rows);
    std::iota(all.begin(), all.end(), 0U);
    RowErrors failed = std::exchange(failed_, {});
    std::erase_if(selected, [&failed](uint32_t row) { return failed.contains(row); });
    MR_TRY(errors_.handle(result, *config_->output, failed, all));
  }
  if (selected.size() < rows) result.selection = std::make_shared<const std::vector<uint32_t>>(std::move(selected));
  return result;
}

}  // namespace millrace
