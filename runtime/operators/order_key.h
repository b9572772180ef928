// `order_by: [amount DESC, seq]`: bound expressions, and their values as bytes that compare like the rows do. NULL is
// the smallest value: first ascending, last descending.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "plan/registry.h"
#include "runtime/expr/evaluator.h"

namespace millrace {

struct OrderBy {
  std::vector<TypedExprPtr> expressions;
  std::vector<bool> descending;
};

/// A text or a list of texts, each `expression [ASC|DESC]`. Nothing after reporting.
std::optional<OrderBy> bind_order_by(const BindContext& context, const Located& list);

/// As it is written, in one line.
std::string order_text(const Located& list);

/// Order keys of the rows of a batch.
class OrderKeys {
 public:
  static Result<std::unique_ptr<OrderKeys>> make(const OrderBy& order);

  /// The error is kEvaluation.
  Status start(const Batch& batch);
  void append(uint32_t row, std::string& out) const;

 private:
  std::unique_ptr<Evaluator> evaluator_;
  std::vector<bool> descending_;
  std::vector<ColumnPtr> columns_;
};

/// One value as bytes that compare like it; of a descending one all bits are flipped.
void append_order_value(const Column& column, uint32_t row, bool descending, std::string& out);

/// A number that compares as bytes.
void append_order_number(uint64_t value, std::string& out);

}  // namespace millrace
