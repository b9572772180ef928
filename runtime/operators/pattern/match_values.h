// Evaluates conditions and measures over a match. One per operator; task's thread.
#pragma once

#include <memory>
#include <vector>

#include "runtime/operators/aggregate_row.h"
#include "runtime/operators/pattern/config.h"
#include "runtime/operators/pattern/match_state.h"

namespace millrace {

class MatchValues {
 public:
  static Result<std::unique_ptr<MatchValues>> make(const PatternConfig& config, const PatternExpression& expression);

  /// A column of one row. The error is kEvaluation.
  Result<ColumnPtr> evaluate(PatternState& state, const PartialMatch& match, const ArenaPtr& arena);

 private:
  struct Reference {
    std::unique_ptr<Evaluator> value;
    std::shared_ptr<AggregateRow> aggregate;
  };
  Result<ColumnPtr> reference(size_t index, PatternState& state, const PartialMatch& match, const ArenaPtr& arena);
  Result<ColumnPtr> aggregate(size_t index, PatternState& state, const std::vector<uint64_t>& rows,
                              const ArenaPtr& arena);
  Result<std::shared_ptr<const Batch>> decoded(PatternState& state, uint64_t number) const;

  const PatternConfig* config_ = nullptr;
  const PatternExpression* expression_ = nullptr;
  std::vector<Reference> references_;
  std::unique_ptr<Evaluator> result_;
};

}  // namespace millrace
