// The accumulators of a state row: the calls of an `aggregate:` side by side, each at a 16-byte boundary, with the
// evaluation of their arguments and FILTER conditions over batches. Shared by windows and running aggregates. save()
// may run on the snapshot thread, everything else on the task's.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "plan/expr/expression.h"
#include "runtime/expr/evaluator.h"
#include "runtime/spi/aggregate.h"

namespace millrace {

class AggregateRow {
 public:
  static Result<std::shared_ptr<AggregateRow>> make(const std::vector<AggregateCall>& calls);

  /// Width of the accumulators, a multiple of 16.
  [[nodiscard]] uint32_t bytes() const { return bytes_; }
  [[nodiscard]] size_t size() const { return parts_.size(); }

  /// Evaluates arguments and filters for `rows` (ascending). Rows that fail are in `errors` and must not be given to
  /// update(). The results stay until the next prepare().
  void prepare(const Batch& batch, std::span<const uint32_t> rows, RowErrors& errors, const EvalContext& context);
  /// Adds rows[i] of the prepared batch to states[i], in this order. rows[i] arrived as number first_arrival + i, or
  /// first_arrival + positions[i] when positions are given.
  void update(const Batch& batch, std::span<const uint32_t> rows, std::span<char* const> states, BlobPool& blobs,
              uint64_t first_arrival, const uint32_t* positions = nullptr);

  void init(char* state) const;
  void merge(char* into, const char* from, BlobPool& blobs);
  void drop(char* state, BlobPool& blobs) const;
  /// Appends one column of results per call; row i of them belongs to states[i].
  void finish(std::span<const char* const> states, std::vector<ColumnPtr>& columns, Arena& arena, RowErrors& errors);

  void save(const char* state, ByteWriter& out) const;
  Status load(ByteReader& in, char* state, BlobPool& blobs) const;

 private:
  struct Part {
    std::unique_ptr<AggregateFunction> function;
    uint32_t offset = 0;
    TypePtr type;
    size_t first_arg = 0;  // in args_
    size_t arg_count = 0;
    std::unique_ptr<Predicate> filter;
    std::unique_ptr<Evaluator> filtered_args;  // evaluated for the rows that pass `filter`
    std::vector<uint8_t> passes;               // per physical row of the prepared batch
  };
  void select(const Part& part, std::span<const uint32_t> rows, std::span<char* const> states,
              const uint32_t* positions);

  std::vector<Part> parts_;
  std::unique_ptr<Evaluator> args_evaluator_;  // arguments of calls without FILTER
  std::vector<ColumnPtr> args_;
  ArenaPtr arena_;
  uint32_t bytes_ = 0;
  std::vector<uint32_t> rows_;
  std::vector<char*> states_;
  std::vector<uint32_t> positions_;
};

}  // namespace millrace
