#include "runtime/operators/pattern/match_values.h"

#include <numeric>

#include "data/row_codec.h"

namespace millrace {

Result<std::unique_ptr<MatchValues>> MatchValues::make(const PatternConfig& config,
                                                       const PatternExpression& expression) {
  auto values = std::make_unique<MatchValues>();
  values->config_ = &config;
  values->expression_ = &expression;
  for (const PatternReference& reference : expression.references) {
    Reference& made = values->references_.emplace_back();
    if (reference.kind == PatternReference::Kind::kAggregate) {
      MR_ASSIGN(made.aggregate, AggregateRow::make({reference.call}));
    } else {
      MR_ASSIGN(made.value, Evaluator::make({reference.value}));
    }
  }
  MR_ASSIGN(values->result_, Evaluator::make({expression.result}));
  return values;
}

Result<ColumnPtr> MatchValues::evaluate(PatternState& state, const PartialMatch& match, const ArenaPtr& arena) {
  Batch row;
  row.rows = 1;
  row.event_times = std::make_shared<const std::vector<int64_t>>(1, 0);
  for (size_t i = 0; i < references_.size(); ++i) {
    MR_ASSIGN(ColumnPtr column, reference(i, state, match, arena));
    row.columns.push_back(std::move(column));
  }
  std::vector<ColumnPtr> results;
  RowErrors errors;
  result_->evaluate(row, results, arena, errors);
  if (!errors.empty()) return make_error(ErrorCode::kEvaluation, errors.rows().front().second);
  return results[0];
}

Result<std::shared_ptr<const Batch>> MatchValues::decoded(PatternState& state, uint64_t number) const {
  PatternRow& row = state.rows[number];
  if (row.decoded) return row.decoded;
  auto batch = std::make_shared<Batch>();
  const auto arena = std::make_shared<Arena>(row.bytes.size() + 64);
  std::vector<std::shared_ptr<Column>> columns;
  for (const Field& field : config_->input->fields) columns.push_back(make_column(*field.type));
  if (!decode_row(row.bytes, columns, *arena)) return make_error(ErrorCode::kCorruptState, "a kept row is damaged");
  batch->rows = 1;
  batch->columns.assign(columns.begin(), columns.end());
  batch->event_times = std::make_shared<const std::vector<int64_t>>(1, row.time);
  batch->arenas.push_back(arena);
  row.decoded = batch;
  return row.decoded;
}

Result<ColumnPtr> MatchValues::reference(size_t index, PatternState& state, const PartialMatch& match,
                                         const ArenaPtr& arena) {
  const PatternReference& reference = expression_->references[index];
  std::vector<uint64_t> rows;
  for (const PartialMatch::Step& step : match.steps) {
    const uint32_t variable = config_->program[step.at].variable;
    const bool belongs = reference.variable < 0 || variable == static_cast<uint32_t>(reference.variable);
    if (belongs) rows.push_back(step.row);
  }
  if (reference.kind == PatternReference::Kind::kAggregate) return aggregate(index, state, rows, arena);
  if (reference.offset >= rows.size()) {
    auto column = make_column(*reference.value->type);
    append_null(*column);
    return ColumnPtr(column);
  }
  const bool first = reference.kind == PatternReference::Kind::kFirst;
  const uint64_t number = first ? rows[reference.offset] : rows[rows.size() - 1 - reference.offset];
  MR_ASSIGN(const auto row, decoded(state, number));
  std::vector<ColumnPtr> results;
  RowErrors errors;
  references_[index].value->evaluate(*row, results, arena, errors);
  if (!errors.empty()) return make_error(ErrorCode::kEvaluation, errors.rows().front().second);
  return results[0];
}

Result<ColumnPtr> MatchValues::aggregate(size_t index, PatternState& state, const std::vector<uint64_t>& rows,
                                         const ArenaPtr& arena) {
  BatchBuilder builder(config_->input);
  static constexpr uint32_t kOnlyRow = 0;
  for (const uint64_t number : rows) {
    MR_ASSIGN(const auto row, decoded(state, number));
    builder.append(*row, &kOnlyRow, 1);
  }
  AggregateRow& aggregate = *references_[index].aggregate;
  // Zero-filled, and aligned for the accumulators.
  std::vector<uint64_t> words(aggregate.bytes() / sizeof(uint64_t) + 4);
  char* accumulators = reinterpret_cast<char*>((reinterpret_cast<uintptr_t>(words.data()) + 15) & ~uintptr_t{15});
  BlobPool blobs;
  aggregate.init(accumulators);
  RowErrors errors;
  if (!rows.empty()) {
    const Batch batch = builder.finish();
    std::vector<uint32_t> all(batch.rows);
    std::iota(all.begin(), all.end(), 0U);
    aggregate.prepare(batch, all, errors, {});
    const std::vector<char*> states(batch.rows, accumulators);
    if (errors.empty()) aggregate.update(batch, all, states, blobs, 0);
  }
  std::vector<ColumnPtr> results;
  const char* const finished = accumulators;
  if (errors.empty()) aggregate.finish(std::span(&finished, 1), results, *arena, errors);
  aggregate.drop(accumulators, blobs);
  if (!errors.empty()) return make_error(ErrorCode::kEvaluation, errors.rows().front().second);
  return results[0];
}

}  // namespace millrace
