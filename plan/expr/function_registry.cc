#include "plan/expr/function_registry.h"

namespace millrace {

void FunctionRegistry::add(ScalarFunction function) {
  auto owned = std::make_unique<ScalarFunction>(std::move(function));
  scalar_index_[owned->name] = owned.get();
  scalars_.push_back(std::move(owned));
}

void FunctionRegistry::add(AggregateSignature aggregate) {
  auto owned = std::make_unique<AggregateSignature>(std::move(aggregate));
  aggregate_index_[owned->name] = owned.get();
  aggregates_.push_back(std::move(owned));
}

const ScalarFunction* FunctionRegistry::find_scalar(std::string_view upper_name) const {
  auto found = scalar_index_.find(upper_name);
  return found == scalar_index_.end() ? nullptr : found->second;
}

const AggregateSignature* FunctionRegistry::find_aggregate(std::string_view upper_name) const {
  auto found = aggregate_index_.find(upper_name);
  return found == aggregate_index_.end() ? nullptr : found->second;
}

std::vector<std::string_view> FunctionRegistry::names() const {
  std::vector<std::string_view> names;
  for (const auto& [name, function] : scalar_index_) {
    // Operators have names that nobody writes as a call.
    if (name.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == std::string::npos) names.push_back(name);
  }
  for (const auto& [name, aggregate] : aggregate_index_) names.push_back(name);
  for (std::string_view name : {"CASE", "CAST", "COALESCE", "IF", "IFNULL", "NULLIF", "TRY_CAST", "CURRENT_WATERMARK",
                                "PROCTIME", "TIMER_TIME", "TRIM"}) {
    names.push_back(name);
  }
  return names;
}

}  // namespace millrace
