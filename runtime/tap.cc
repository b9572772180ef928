#include "runtime/tap.h"

#include <algorithm>

#include "runtime/operators/row_text.h"

namespace millrace {

bool Tap::offer(const Batch& batch, int64_t now_ms) {
  if (left_ == 0 || now_ms > until_ms_) return false;
  const uint32_t count = std::min(left_, batch.selected());
  std::vector<std::string> rows;
  rows.reserve(count);
  for (uint32_t i = 0; i < count; ++i) rows.push_back(row_text(batch, *schema_, batch.row_at(i)));
  left_ -= count;
  take_(std::move(rows));
  return left_ > 0;
}

}  // namespace millrace
