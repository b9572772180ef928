// A row of a snapshot as one JSON object: key columns and values by name, accumulators as their results so far, times
// in epoch milliseconds (null: none), what only its writer understands as base64. For people; not on any hot path.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "core/bytes.h"
#include "runtime/state_rows/aggregate_part.h"

namespace millrace {

class StateText {
 public:
  /// A layout that cannot be read (what sinks keep) gives keys and values as base64.
  static std::unique_ptr<StateText> make(std::string_view layout, std::string_view name, StateKind kind,
                                         const FunctionRegistry& functions);
  /// "{...}". kCorruptState: the row is not of the layout.
  Result<std::string> row(std::string_view key, std::string_view value);

 private:
  explicit StateText(const FunctionRegistry& functions) : functions_(functions) {}
  Status fields(const std::vector<StateField>& fields, ByteReader& in, std::string& out);
  Status field(const StateField& field, ByteReader& in, std::string& out);
  Status columns(const std::vector<Field>& columns, const std::vector<std::shared_ptr<Column>>& values,
                 std::string& out);
  Status key_columns(const StateField& field, std::string_view bytes, std::string& out);
  Status row_columns(const StateField& field, ByteReader& in, std::string& out);
  Status list(const StateField& field, ByteReader& in, std::string& out);
  Status cells(const StateField& field, ByteReader& in, std::string& out);
  Status cell(const StateField& cell, ByteReader& in, std::string& out);
  Status aggregate(const StateField& field, ByteReader& in, std::string& out);

  const FunctionRegistry& functions_;
  std::optional<StateSchema> schema_;
  int64_t window_ms_ = 0;  // of tumbling windows: the end is not in the row
  std::map<const StateField*, std::unique_ptr<AggregatePart>> parts_;
};

}  // namespace millrace
