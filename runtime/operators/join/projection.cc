#include "runtime/operators/join/projection.h"

#include <numeric>
#include <span>
#include <utility>

#include "runtime/operators/binding.h"

namespace millrace {

Result<JoinProjection> JoinProjection::make(const JoinConfig& config) {
  JoinProjection projection;
  if (config.where) {
    MR_ASSIGN(projection.where_, Predicate::make(config.where));
    projection.where_reads_ = read_columns(std::span(&config.where, 1));
  }
  MR_ASSIGN(projection.select_, Evaluator::make(config.select));
  projection.select_reads_ = read_columns(config.select);
  return projection;
}

Status JoinProjection::test(const Batch& combined, std::vector<uint8_t>& passes) {
  passes.assign(combined.rows, where_ ? 0 : 1);
  if (!where_ || combined.rows == 0) return {};
  selected_.resize(combined.rows);
  std::iota(selected_.begin(), selected_.end(), 0U);
  RowErrors errors;
  where_->filter(combined, selected_, errors);
  if (!errors.empty()) return make_error(ErrorCode::kEvaluation, "`where`: " + errors.rows().front().second);
  for (const uint32_t row : selected_) passes[row] = 1;
  return {};
}

Result<Batch> JoinProjection::project(const Batch& combined) {
  Batch result;
  result.rows = combined.rows;
  result.event_times = combined.event_times;
  result.kinds = combined.kinds;
  result.arenas = combined.arenas;
  auto arena = std::make_shared<Arena>();
  RowErrors errors;
  select_->evaluate(combined, result.columns, arena, errors);
  if (!errors.empty()) return make_error(ErrorCode::kEvaluation, "`select`: " + errors.rows().front().second);
  result.arenas.push_back(std::move(arena));
  return result;
}

}  // namespace millrace
