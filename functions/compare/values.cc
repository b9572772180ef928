#include "functions/compare/values.h"

#include <algorithm>
#include <cmath>

namespace millrace {

namespace {

template <class T>
int order_of(T a, T b) {
  return a < b ? -1 : (b < a ? 1 : 0);
}

template <class T>
int float_order(T a, T b) {
  if (std::isnan(a) || std::isnan(b)) return static_cast<int>(std::isnan(a)) - static_cast<int>(std::isnan(b));
  return order_of(a, b);
}

int compare_list(const DataType& type, const Column& a, uint32_t row_a, const Column& b, uint32_t row_b) {
  uint32_t at_a = a.offsets()[row_a];
  uint32_t at_b = b.offsets()[row_b];
  uint32_t end_a = a.offsets()[row_a + 1];
  uint32_t end_b = b.offsets()[row_b + 1];
  for (; at_a < end_a && at_b < end_b; ++at_a, ++at_b) {
    const Column& child_a = *a.children()[0];
    const Column& child_b = *b.children()[0];
    int order = 0;
    if (type.kind == TypeKind::kArray) {
      order = compare_values(*type.children[0], child_a, at_a, child_b, at_b);
    } else {
      for (size_t i = 0; i < 2 && order == 0; ++i) {
        order = compare_values(*type.children[i], *child_a.children()[i], at_a, *child_b.children()[i], at_b);
      }
    }
    if (order != 0) return order;
  }
  return order_of(end_a - at_a, end_b - at_b);
}

}  // namespace

int compare_values(const DataType& type, const Column& a, uint32_t row_a, const Column& b, uint32_t row_b) {
  bool null_a = a.is_null(row_a);
  bool null_b = b.is_null(row_b);
  if (null_a || null_b) return static_cast<int>(null_b) - static_cast<int>(null_a);
  switch (a.type()) {
    case PhysicalType::kBool:
      return order_of(a.values<uint8_t>()[row_a], b.values<uint8_t>()[row_b]);
    case PhysicalType::kInt32:
      return order_of(a.values<int32_t>()[row_a], b.values<int32_t>()[row_b]);
    case PhysicalType::kInt64:
      return order_of(a.values<int64_t>()[row_a], b.values<int64_t>()[row_b]);
    case PhysicalType::kFloat:
      return float_order(a.values<float>()[row_a], b.values<float>()[row_b]);
    case PhysicalType::kDouble:
      return float_order(a.values<double>()[row_a], b.values<double>()[row_b]);
    case PhysicalType::kInt128:
      return order_of(a.values<int128>()[row_a], b.values<int128>()[row_b]);
    case PhysicalType::kString: {
      int order = a.values<StringRef>()[row_a].view().compare(b.values<StringRef>()[row_b].view());
      return order_of(order, 0);
    }
    case PhysicalType::kList:
      return compare_list(type, a, row_a, b, row_b);
    case PhysicalType::kStruct:
      for (size_t i = 0; i < type.children.size(); ++i) {
        int order = compare_values(*type.children[i], *a.children()[i], row_a, *b.children()[i], row_b);
        if (order != 0) return order;
      }
      return 0;
  }
  return 0;
}

}  // namespace millrace
