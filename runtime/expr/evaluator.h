// Evaluates typed expressions over batches, column by column: AND and OR look only at undecided rows, CASE and COALESCE
// only at the rows that reach a branch, and a row that fails is marked in RowErrors (its value is NULL) while the batch
// goes on. One object per task; not shared between threads (it caches constants and scratch space).
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "core/status.h"
#include "data/batch.h"
#include "plan/expr/expression.h"
#include "runtime/spi/function.h"

namespace millrace {

struct EvalContext {
  int64_t now_ms = 0;                 // wall clock, the same for a whole batch
  int64_t watermark = kWatermarkMin;  // kWatermarkMin = none yet: CURRENT_WATERMARK() is NULL
  int64_t timer_time = 0;
};

struct EvalNode;

class Evaluator {
 public:
  static Result<std::unique_ptr<Evaluator>> make(std::vector<TypedExprPtr> exprs);
  ~Evaluator();

  /// Appends one column per expression to `out`. Columns have the batch's physical length; only `rows` (ascending) are
  /// defined. A bare column reference gives the batch's own column. Bytes of strings are in `arena` or in the batch's
  /// arenas: a batch that carries the results must keep both.
  void evaluate(const Batch& batch, std::span<const uint32_t> rows, std::vector<ColumnPtr>& out, const ArenaPtr& arena,
                RowErrors& errors, const EvalContext& context = {});
  /// The same for the rows that the batch selects.
  void evaluate(const Batch& batch, std::vector<ColumnPtr>& out, const ArenaPtr& arena, RowErrors& errors,
                const EvalContext& context = {});

 private:
  Evaluator();

  std::vector<std::unique_ptr<EvalNode>> roots_;
  std::vector<uint32_t> rows_;
};

/// A condition over batches: keeps the rows for which it is TRUE.
class Predicate {
 public:
  static Result<std::unique_ptr<Predicate>> make(TypedExprPtr condition);
  ~Predicate();

  /// `selected` holds the physical rows to look at, ascending; afterwards those that passed. Failed rows do not pass.
  void filter(const Batch& batch, std::vector<uint32_t>& selected, RowErrors& errors, const EvalContext& context = {});

 private:
  Predicate();

  std::vector<std::unique_ptr<EvalNode>> conjuncts_;
  ArenaPtr scratch_;
};

/// The physical rows that a batch selects.
void selected_rows(const Batch& batch, std::vector<uint32_t>& rows);

/// A column of one row with the value of a literal; the bytes of texts are copied into `arena`.
std::shared_ptr<Column> literal_column(const DataType& type, const Literal& literal, Arena& arena);

}  // namespace millrace
