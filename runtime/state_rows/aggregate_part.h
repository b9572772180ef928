// One accumulator outside of any operator: reads what an aggregate function saved, shows its result, writes it again.
// For readers of snapshots. One thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "plan/expr/function_registry.h"
#include "plan/state_schema.h"
#include "runtime/spi/aggregate.h"

namespace millrace {

class AggregatePart {
 public:
  /// kIncompatibleState: this build has no such function.
  static Result<std::unique_ptr<AggregatePart>> make(std::shared_ptr<const StateAggregate> call,
                                                     const FunctionRegistry& functions);
  ~AggregatePart();
  AggregatePart(const AggregatePart&) = delete;
  AggregatePart& operator=(const AggregatePart&) = delete;

  Status load(ByteReader& in);
  /// As before its first row.
  void clear();
  void save(ByteWriter& out) const;
  /// The result so far, as one value of JSON.
  Result<std::string> text();
  [[nodiscard]] const StateAggregate& call() const { return *call_; }

 private:
  AggregatePart() = default;
  char* state() const { return state_; }

  std::shared_ptr<const StateAggregate> call_;
  std::unique_ptr<AggregateFunction> function_;
  std::vector<char> memory_;
  char* state_ = nullptr;  // in memory_, 16-byte aligned
  BlobPool blobs_;
};

}  // namespace millrace
