#include "runtime/state_rows/aggregate_part.h"

#include <algorithm>
#include <cstdint>

#include "runtime/operators/row_text.h"

namespace millrace {

Result<std::unique_ptr<AggregatePart>> AggregatePart::make(std::shared_ptr<const StateAggregate> call,
                                                           const FunctionRegistry& functions) {
  const AggregateSignature* signature = functions.find_aggregate(call->function);
  if (signature == nullptr) {
    return make_error(ErrorCode::kIncompatibleState, "this build has no aggregate " + call->function);
  }
  std::unique_ptr<AggregatePart> part(new AggregatePart());
  part->function_ = signature->factory->make(call->args, call->result, call->distinct, nullptr);
  part->call_ = std::move(call);
  constexpr size_t kAlign = 16;
  part->memory_.resize(part->function_->bytes() + kAlign);
  const auto address = reinterpret_cast<uintptr_t>(part->memory_.data());
  part->state_ = part->memory_.data() + ((kAlign - address % kAlign) % kAlign);
  part->function_->init(part->state_);
  return part;
}

AggregatePart::~AggregatePart() {
  if (state_ != nullptr) function_->drop(state_, blobs_);
}

void AggregatePart::clear() {
  function_->drop(state_, blobs_);
  std::fill(memory_.begin(), memory_.end(), '\0');
  function_->init(state_);
}

Status AggregatePart::load(ByteReader& in) {
  clear();
  return function_->load(in, state_, blobs_);
}

void AggregatePart::save(ByteWriter& out) const { function_->save(state_, out); }

Result<std::string> AggregatePart::text() {
  auto column = make_column(*call_->result);
  const bool nested = column->type() == PhysicalType::kList || column->type() == PhysicalType::kStruct;
  if (!nested) column->resize(1);
  Arena arena;
  RowErrors errors;
  const char* state = state_;
  function_->finish({&state, 1}, *column, 0, arena, errors);
  if (!errors.empty()) return make_error(ErrorCode::kEvaluation, errors.rows().front().second);
  std::string out;
  append_value_text(out, *call_->result, *column, 0);
  return out;
}

}  // namespace millrace
