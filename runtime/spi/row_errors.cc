#include "runtime/spi/function.h"

namespace millrace {

void RowErrors::add(uint32_t row, std::string message) {
  if (contains(row)) return;
  if (marked_.size() <= row) marked_.resize(row + 1);
  marked_[row] = true;
  rows_.emplace_back(row, std::move(message));
}

void RowErrors::clear() {
  if (rows_.empty()) return;
  rows_.clear();
  marked_.clear();
}

}  // namespace millrace
