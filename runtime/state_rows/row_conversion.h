// A row of a state in the layout of an older job, as a row in the layout of the new one: added parts start empty,
// dropped ones are left out, columns and accumulators of widened types grow. What continues what is decided by
// plan/state_match.h. One thread; each reader makes its own.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/bytes.h"
#include "plan/state_match.h"
#include "runtime/state_rows/aggregate_part.h"

namespace millrace {

class RowConversion {
 public:
  /// kIncompatibleState when match_state() refuses the pair.
  static Result<std::unique_ptr<RowConversion>> make(StateSchema from, StateSchema to, FormerNames names,
                                                     const FunctionRegistry& functions);

  /// The value of a row; the key stays as it is. kCorruptState: the row is not of the old layout.
  Result<std::string> convert(std::string_view value);

 private:
  RowConversion(StateSchema from, StateSchema to, FormerNames names, const FunctionRegistry& functions)
      : from_(std::move(from)), to_(std::move(to)), names_(std::move(names)), functions_(functions) {}

  Status fields(const std::vector<StateField>& from, const std::vector<StateField>& to, ByteReader& in, ByteWriter& out,
                bool& keep);
  Status field(const StateField& from, const StateField& to, ByteReader& in, ByteWriter& out, bool& keep);
  Status list(const StateField& from, const StateField& to, ByteReader& in, ByteWriter& out);
  Status row(const StateField& from, const StateField& to, ByteReader& in, ByteWriter& out);
  Status cells(const StateField& from, const StateField& to, ByteReader& in, ByteWriter& out);
  Status aggregates(const std::vector<StateField>& from, const std::vector<StateField>& to, ByteReader& in,
                    ByteWriter& out);
  Status widen(const StateAggregate& from, const StateAggregate& to, std::string_view held, ByteWriter& out) const;
  Result<AggregatePart*> part(const StateField& field);

  StateSchema from_;
  StateSchema to_;
  FormerNames names_;
  const FunctionRegistry& functions_;
  std::map<const StateField*, std::unique_ptr<AggregatePart>> parts_;
  std::map<const StateField*, std::vector<int32_t>> places_;  // of rows, cells, choices; by the field of `to_`
  std::vector<int32_t> aggregate_places_;
};

}  // namespace millrace
