// The functions that expressions may call: signature and kernel are registered together by functions/<family>, the
// kernels opaque here (runtime/spi/function.h gives them their form). Filled once at start, then read only.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/status.h"
#include "data/types.h"
#include "plan/expr/expression.h"

namespace millrace {

struct ScalarKernel;      // runtime/spi/function.h
struct AggregateFactory;  // runtime/spi/aggregate.h

/// What a function answers to argument types: the result type and the types its arguments are cast to first.
struct ResolvedCall {
  TypePtr type;
  std::vector<TypePtr> arg_types;
  std::shared_ptr<const void> bound;  // prepared data (a compiled regular expression, a format), may be null
};

struct ScalarFunction {
  std::string name;  // upper case
  /// Literal arguments are visible (null pointer when not a literal), for result types that depend on values.
  std::function<Result<ResolvedCall>(std::span<const TypePtr> types, std::span<const Literal* const> literals)> resolve;
  std::shared_ptr<const ScalarKernel> kernel;
  bool deterministic = true;
  bool null_in_null_out = true;  // the evaluator sets NULL for rows with a NULL argument and skips them
  std::string help;              // one line
};

struct AggregateSignature {
  std::string name;  // upper case
  std::function<Result<ResolvedCall>(std::span<const TypePtr> types)> resolve;
  std::shared_ptr<const AggregateFactory> factory;
  bool by_arrival = false;  // the order of rows decides (FIRST_VALUE, LISTAGG …)
  bool retractable = false;
  std::string help;
};

class FunctionRegistry {
 public:
  void add(ScalarFunction function);
  void add(AggregateSignature aggregate);
  [[nodiscard]] const ScalarFunction* find_scalar(std::string_view upper_name) const;
  [[nodiscard]] const AggregateSignature* find_aggregate(std::string_view upper_name) const;
  /// All names, for suggestions.
  [[nodiscard]] std::vector<std::string_view> names() const;

 private:
  std::vector<std::unique_ptr<ScalarFunction>> scalars_;
  std::vector<std::unique_ptr<AggregateSignature>> aggregates_;
  std::map<std::string, const ScalarFunction*, std::less<>> scalar_index_;
  std::map<std::string, const AggregateSignature*, std::less<>> aggregate_index_;
};

}  // namespace millrace
