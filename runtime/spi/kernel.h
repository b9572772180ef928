// What kernels are made of: readers of arguments that may be constant, and loops over rows that the compiler can
// vectorise when the rows are contiguous. Only kernels include this.
#pragma once

#include <string>
#include <utility>

#include "runtime/spi/function.h"

namespace millrace {

/// Values of one argument by physical row; a constant argument answers the same for all.
template <class T>
class ArgReader {
 public:
  ArgReader(const Column& column, bool constant)
      : values_(column.values<T>()), nulls_(column.nulls()), mask_(constant ? 0 : UINT32_MAX) {}
  ArgReader(const KernelArgs& call, size_t index)
      : ArgReader(*call.args[index], index < call.constant.size() && call.constant[index] != 0) {}

  [[nodiscard]] const T& operator[](uint32_t row) const { return values_[row & mask_]; }
  [[nodiscard]] bool is_null(uint32_t row) const { return nulls_ != nullptr && nulls_[row & mask_] != 0; }
  [[nodiscard]] bool constant() const { return mask_ == 0; }
  [[nodiscard]] const T* values() const { return values_; }

 private:
  const T* values_;
  const uint8_t* nulls_;
  uint32_t mask_;
};

/// Texts and bytes.
class TextReader : public ArgReader<StringRef> {
 public:
  using ArgReader::ArgReader;
  [[nodiscard]] std::string_view text(uint32_t row) const { return (*this)[row].view(); }
};

/// Integers, dates, times and intervals of either width.
class IntegerReader {
 public:
  IntegerReader(const Column& column, bool constant)
      : wide_(column.type() == PhysicalType::kInt64 ? column.values<int64_t>() : nullptr),
        narrow_(wide_ != nullptr ? nullptr : column.values<int32_t>()),
        nulls_(column.nulls()),
        mask_(constant ? 0 : UINT32_MAX) {}
  IntegerReader(const KernelArgs& call, size_t index)
      : IntegerReader(*call.args[index], index < call.constant.size() && call.constant[index] != 0) {}

  [[nodiscard]] int64_t operator[](uint32_t row) const {
    return wide_ != nullptr ? wide_[row & mask_] : narrow_[row & mask_];
  }
  [[nodiscard]] bool is_null(uint32_t row) const { return nulls_ != nullptr && nulls_[row & mask_] != 0; }

 private:
  const int64_t* wide_;
  const int32_t* narrow_;
  const uint8_t* nulls_;
  uint32_t mask_;
};

/// Calls f(row) for each row. Rows are ascending, so a contiguous range is known by its ends.
template <class F>
inline void for_rows(std::span<const uint32_t> rows, F&& f) {
  if (rows.empty()) return;
  uint32_t first = rows.front();
  uint32_t last = rows.back();
  if (last - first + 1 == rows.size()) {
    for (uint32_t row = first; row <= last; ++row) f(row);
  } else {
    for (uint32_t row : rows) f(row);
  }
}

/// Writes an integer, date, time or interval at either width.
inline void put_integer(Column& out, uint32_t row, int64_t value) {
  if (out.type() == PhysicalType::kInt64) {
    out.values<int64_t>()[row] = value;
  } else {
    out.values<int32_t>()[row] = static_cast<int32_t>(value);
  }
}

inline void put_text(const KernelArgs& call, uint32_t row, std::string_view text) {
  call.out.values<StringRef>()[row] = call.arena.copy(text);
}

/// A part of an argument's bytes, or other bytes that live as long as the batch: not copied.
inline void put_slice(const KernelArgs& call, uint32_t row, std::string_view text) {
  call.out.values<StringRef>()[row] = StringRef(text);
}

/// Builds the offsets of a list column row by row; rows in between stay empty. The caller fills the child.
class ListWriter {
 public:
  explicit ListWriter(const KernelArgs& call) : call_(call) { call.out.offsets().clear(); }

  /// REQUIRES: rows ascending. `items` = elements written so far.
  void start(uint32_t row, size_t items) {
    call_.out.offsets().resize(row + 1, static_cast<uint32_t>(items_));
    call_.out.offsets().back() = static_cast<uint32_t>(items);
    items_ = items;
  }
  /// After the elements of the row that was started.
  void end(size_t items) { items_ = items; }
  void set_null(uint32_t row) { nulls_.push_back(row); }
  void finish(ColumnPtr child) {
    std::vector<uint32_t>& offsets = call_.out.offsets();
    offsets.resize(call_.length + 1, static_cast<uint32_t>(items_));
    std::vector<uint32_t> kept = offsets;
    call_.out.resize(call_.length);
    offsets = std::move(kept);
    call_.out.children()[0] = std::move(child);
    for (uint32_t row : nulls_) call_.out.set_null(row);
  }

 private:
  const KernelArgs& call_;
  size_t items_ = 0;
  std::vector<uint32_t> nulls_;
};

}  // namespace millrace
