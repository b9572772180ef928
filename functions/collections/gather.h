// Building list columns out of picked elements of several source columns, for the functions over ARRAY and MAP.
#pragma once

#include <memory>
#include <vector>

#include "runtime/spi/kernel.h"

namespace millrace {

/// One argument that is an ARRAY or MAP: element ranges by row, constants included.
class ListReader {
 public:
  ListReader(const KernelArgs& call, size_t index)
      : column_(*call.args[index]), constant_(index < call.constant.size() && call.constant[index] != 0) {}

  [[nodiscard]] bool is_null(uint32_t row) const { return column_.is_null(at(row)); }
  [[nodiscard]] uint32_t begin(uint32_t row) const { return column_.offsets()[at(row)]; }
  [[nodiscard]] uint32_t end(uint32_t row) const { return column_.offsets()[at(row) + 1]; }
  [[nodiscard]] uint32_t size(uint32_t row) const { return end(row) - begin(row); }
  /// Elements of an ARRAY, entries (key, value) of a MAP.
  [[nodiscard]] const Column& items() const { return *column_.children()[0]; }
  [[nodiscard]] const Column& keys() const { return *items().children()[0]; }
  [[nodiscard]] const Column& values() const { return *items().children()[1]; }

 private:
  [[nodiscard]] uint32_t at(uint32_t row) const { return constant_ ? 0 : row; }
  const Column& column_;
  bool constant_;
};

/// A column filled value by value from other columns of the same type. Texts are shared, not copied.
class ValueCollector {
 public:
  explicit ValueCollector(const DataType& type) : type_(type), column_(make_column(type)) {}

  void add(const Column& from, uint32_t row) { append_rows(from, &row, 1, *column_, nullptr); }
  void add_null() {
    if (!nothing_) {
      nothing_ = make_column(type_);
      nothing_->resize(1);
      for (size_t i = 0; i < nothing_->children().size() && nothing_->type() == PhysicalType::kStruct; ++i) {
        ValueCollector child(*type_.children[i]);
        child.add_null();
        nothing_->children()[i] = child.column();
      }
      nothing_->set_null(0);
    }
    add(*nothing_, 0);
  }
  [[nodiscard]] uint32_t size() const { return column_->size(); }
  [[nodiscard]] std::shared_ptr<Column> column() const { return column_; }

 private:
  const DataType& type_;
  std::shared_ptr<Column> column_;
  std::shared_ptr<Column> nothing_;
};

}  // namespace millrace
