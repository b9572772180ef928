// What happens to rows for which an expression failed: `on_error: fail` ends the job with the first reason, `skip`
// counts and drops them, `dead_letter` sends them with the reason to the step's dead-letter port. One object per
// operator; the operator calls flush() at the end of each process() or advance() call, so that at most one batch leaves
// per call.
#pragma once

#include <string>
#include <vector>

#include "plan/job_graph.h"
#include "runtime/spi/function.h"
#include "runtime/spi/operator.h"

namespace millrace {

class RowErrorHandler {
 public:
  explicit RowErrorHandler(const Node& node);

  void open(const OperatorContext& context);
  /// Takes the failed rows out of `rows` (ascending) and empties `errors`. The error is kEvaluation.
  Status handle(const Batch& batch, const Schema& schema, RowErrors& errors, std::vector<uint32_t>& rows);
  void flush(Output& out);

 private:
  void add_dead_letter(const Batch& batch, const Schema& schema, uint32_t row, const std::string& message);

  OnError on_error_;
  int32_t port_;
  std::string step_;
  Clock* clock_ = nullptr;
  StepMetrics metrics_;
  std::vector<std::string> messages_;
  std::vector<std::string> texts_;
  std::vector<int64_t> event_times_;
};

}  // namespace millrace
