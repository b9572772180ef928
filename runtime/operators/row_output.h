// Kept rows (data/row_codec.h) on their way out: decoded into a batch, with integer columns behind them where the
// operator adds some (bounds of a window, a rank). One per port; task's thread.
#pragma once

#include <initializer_list>
#include <memory>
#include <string_view>
#include <vector>

#include "data/batch.h"
#include "runtime/spi/operator.h"

namespace millrace {

class RowOutput {
 public:
  explicit RowOutput(SchemaPtr schema, size_t extra_columns = 0);

  Status add(std::string_view bytes, int64_t event_time, RowKind kind = RowKind::kInsert,
             std::initializer_list<int64_t> extra = {});
  [[nodiscard]] uint32_t rows() const { return static_cast<uint32_t>(times_.size()); }
  /// Leaves room for the rows that one input row causes.
  [[nodiscard]] bool full() const { return rows() >= kBatchRowsMax / 2; }
  void flush(Output& out, uint32_t port);

 private:
  void reset();

  SchemaPtr schema_;
  size_t extra_columns_;
  std::vector<std::shared_ptr<Column>> columns_;
  ArenaPtr arena_;
  std::vector<int64_t> times_;
  std::vector<uint8_t> kinds_;
  bool updates_ = false;
};

}  // namespace millrace
