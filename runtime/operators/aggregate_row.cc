#include "runtime/operators/aggregate_row.h"

#include "plan/expr/function_registry.h"

namespace millrace {

namespace {

constexpr uint32_t kAccumulatorAlign = 16;

uint32_t aligned_bytes(uint32_t bytes) {
  return (bytes + kAccumulatorAlign - 1) / kAccumulatorAlign * kAccumulatorAlign;
}

}  // namespace

Result<std::shared_ptr<AggregateRow>> AggregateRow::make(const std::vector<AggregateCall>& calls) {
  auto row = std::make_shared<AggregateRow>();
  std::vector<TypedExprPtr> plain;
  for (const AggregateCall& call : calls) {
    Part part;
    std::vector<TypePtr> types;
    for (const TypedExprPtr& arg : call.args) types.push_back(arg->type);
    part.function = call.function->factory->make(types, call.type, call.distinct, nullptr);
    part.offset = row->bytes_;
    part.type = call.type;
    part.arg_count = call.args.size();
    row->bytes_ += aligned_bytes(part.function->bytes());
    if (call.filter) {
      MR_ASSIGN(part.filter, Predicate::make(call.filter));
      MR_ASSIGN(part.filtered_args, Evaluator::make(call.args));
    } else {
      plain.insert(plain.end(), call.args.begin(), call.args.end());
    }
    row->parts_.push_back(std::move(part));
  }
  MR_ASSIGN(row->args_evaluator_, Evaluator::make(std::move(plain)));
  if (row->bytes_ == 0) row->bytes_ = kAccumulatorAlign;
  return row;
}

void AggregateRow::prepare(const Batch& batch, std::span<const uint32_t> rows, RowErrors& errors,
                           const EvalContext& context) {
  // Results of functions live until the next batch.
  constexpr size_t kArenaMax = 1024 * 1024;
  if (!arena_ || arena_->bytes() > kArenaMax) arena_ = std::make_shared<Arena>();
  args_.clear();
  args_evaluator_->evaluate(batch, rows, args_, arena_, errors, context);
  size_t at = 0;
  for (Part& part : parts_) {
    if (!part.filter) {
      part.first_arg = at;
      at += part.arg_count;
      continue;
    }
    rows_.assign(rows.begin(), rows.end());
    part.filter->filter(batch, rows_, errors, context);
    part.passes.assign(batch.rows, 0);
    for (uint32_t row : rows_) part.passes[row] = 1;
    part.first_arg = args_.size();
    part.filtered_args->evaluate(batch, rows_, args_, arena_, errors, context);
  }
}

void AggregateRow::select(const Part& part, std::span<const uint32_t> rows, std::span<char* const> states,
                          const uint32_t* positions) {
  rows_.clear();
  states_.clear();
  positions_.clear();
  for (size_t i = 0; i < rows.size(); ++i) {
    if (part.passes[rows[i]] == 0) continue;
    rows_.push_back(rows[i]);
    states_.push_back(states[i] + part.offset);
    positions_.push_back(positions != nullptr ? positions[i] : static_cast<uint32_t>(i));
  }
}

void AggregateRow::update(const Batch& batch, std::span<const uint32_t> rows, std::span<char* const> states,
                          BlobPool& blobs, uint64_t first_arrival, const uint32_t* positions) {
  const uint8_t* kinds = batch.kinds ? batch.kinds->data() : nullptr;
  for (Part& part : parts_) {
    const std::span<const ColumnPtr> args(args_.data() + part.first_arg, part.arg_count);
    if (part.filter) {
      select(part, rows, states, positions);
      if (rows_.empty()) continue;
      part.function->update({args, rows_, states_, kinds, first_arrival, positions_.data()}, blobs);
    } else if (part.offset == 0) {
      part.function->update({args, rows, states, kinds, first_arrival, positions}, blobs);
    } else {
      states_.resize(states.size());
      for (size_t i = 0; i < states.size(); ++i) states_[i] = states[i] + part.offset;
      part.function->update({args, rows, states_, kinds, first_arrival, positions}, blobs);
    }
  }
}

void AggregateRow::init(char* state) const {
  for (const Part& part : parts_) part.function->init(state + part.offset);
}

void AggregateRow::merge(char* into, const char* from, BlobPool& blobs) {
  for (Part& part : parts_) part.function->merge(into + part.offset, from + part.offset, blobs);
}

void AggregateRow::drop(char* state, BlobPool& blobs) const {
  for (const Part& part : parts_) part.function->drop(state + part.offset, blobs);
}

void AggregateRow::finish(std::span<const char* const> states, std::vector<ColumnPtr>& columns, Arena& arena,
                          RowErrors& errors) {
  std::vector<const char*> own(states.size());
  for (Part& part : parts_) {
    for (size_t i = 0; i < states.size(); ++i) own[i] = states[i] + part.offset;
    auto column = make_column(*part.type);
    const bool nested = column->type() == PhysicalType::kList || column->type() == PhysicalType::kStruct;
    if (!nested) column->resize(static_cast<uint32_t>(states.size()));
    part.function->finish(own, *column, 0, arena, errors);
    columns.push_back(std::move(column));
  }
}

void AggregateRow::save(const char* state, ByteWriter& out) const {
  for (const Part& part : parts_) part.function->save(state + part.offset, out);
}

Status AggregateRow::load(ByteReader& in, char* state, BlobPool& blobs) const {
  for (const Part& part : parts_) MR_TRY(part.function->load(in, state + part.offset, blobs));
  return {};
}

}  // namespace millrace
