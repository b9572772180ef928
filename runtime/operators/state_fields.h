// Parts of state schemas that several operators have: keys, rows, accumulators, rows of joins. What bind() writes with
// these must be what the operator's codec writes; the operator test kit reads every snapshot by its schema and fails
// when a byte is left. Planning only; pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "plan/job_graph.h"

namespace millrace {

StateField state_field(std::string name, StateForm form);
StateField list_field(std::string name, std::vector<StateField> parts);
/// The encoded key columns that stand at the end of a state key.
StateField key_field(const Schema& schema, std::span<const uint32_t> columns);
StateField row_field(std::string name, const Schema& schema);
/// A string that holds one value of this type.
StateField value_field(std::string name, const TypePtr& type);
/// One per call, in order. `results`: the expression of each column over the calls, whose scope has `first` entries
/// before them.
std::vector<StateField> aggregate_fields(const std::vector<AggregateCall>& calls,
                                         const std::vector<TypedExprPtr>& results, size_t first);
/// The parts of runtime/operators/join/pairs.h: save_join_row.
std::vector<StateField> join_row_fields(const Schema& schema);

}  // namespace millrace
