#include "runtime/expr/cast.h"

#include <fmt/format.h>

#include <algorithm>

#include "runtime/spi/kernel.h"

namespace millrace {

namespace {

bool is_text_or_bytes(const DataType& type) { return type.is_text() || type.kind == TypeKind::kBytes; }

bool is_nested_type(const DataType& type) {
  return type.kind == TypeKind::kArray || type.kind == TypeKind::kMap || type.kind == TypeKind::kRow;
}

}  // namespace

bool cast_keeps_column(const DataType& from, const DataType& to) {
  using enum TypeKind;
  if (same_type(from, to)) return true;
  if (is_text_or_bytes(from) && is_text_or_bytes(to)) {
    if (from.kind == kBytes || to.kind == kBytes) {
      // The same bytes; only BYTES to a text of limited length changes them.
      return to.kind == kBytes || (to.kind == kVarchar && to.precision == kStringLengthMax);
    }
    return to.kind == kVarchar && to.precision >= from.precision;
  }
  if (from.is_integer() && to.is_integer() && from.physical() == to.physical()) return to.kind >= from.kind;
  if (from.kind == kDecimal && to.kind == kDecimal) {
    return from.scale == to.scale && to.precision >= from.precision;
  }
  bool times =
      (from.kind == kTimestamp || from.kind == kTimestampLtz) && (to.kind == kTimestamp || to.kind == kTimestampLtz);
  if (times) return to.precision >= 3 || to.precision >= from.precision;
  if (from.kind == kTime && to.kind == kTime) return to.precision >= 3 || to.precision >= from.precision;
  return from.kind == to.kind && (from.kind == kIntervalMillis || from.kind == kIntervalMonths);
}

void cast_rows(const CastRows& cast) {
  const DataType& from = cast.from_type;
  const DataType& to = cast.to_type;
  if (to.is_text()) {
    cast_to_text(cast);
  } else if (is_nested_type(to)) {
    cast_nested(cast);
  } else if (from.is_text()) {
    cast_from_text(cast);
  } else if (from.is_numeric() || from.kind == TypeKind::kBoolean) {
    cast_numbers(cast);
  } else {
    cast_times(cast);
  }
}

void cast_nested(const CastRows& cast) {
  const Column& from = cast.from;
  Column& out = cast.out;
  const uint32_t length = from.size();
  // Children are cast as whole columns; the shape stays. A failing element fails its row.
  auto cast_child = [&](const ColumnPtr& child, const DataType& child_from, const DataType& child_to,
                        std::vector<uint32_t> rows, auto&& owner) -> ColumnPtr {
    if (cast_keeps_column(child_from, child_to)) return child;
    auto made = make_column(child_to);
    bool nested = is_nested_type(child_to);
    if (!nested) {
      made->resize(child->size());
      std::erase_if(rows, [&](uint32_t row) {
        if (!child->is_null(row)) return false;
        made->set_null(row);
        return true;
      });
    }
    RowErrors errors;
    cast_rows({*child, child_from, child_to, rows, *made, cast.arena, &errors});
    for (const auto& [row, message] : errors.rows()) cast.fail(owner(row), message);
    return made;
  };
  out.resize(length);
  if (from.type() == PhysicalType::kStruct) {
    for (size_t i = 0; i < from.children().size(); ++i) {
      std::vector<uint32_t> rows(cast.rows.begin(), cast.rows.end());
      out.children()[i] = cast_child(from.children()[i], *cast.from_type.children[i], *cast.to_type.children[i], rows,
                                     [](uint32_t row) { return row; });
    }
  } else {
    out.offsets() = from.offsets();
    std::vector<uint32_t> rows;
    for (uint32_t row : cast.rows) {
      if (from.is_null(row)) continue;
      for (uint32_t at = from.offsets()[row]; at < from.offsets()[row + 1]; ++at) rows.push_back(at);
    }
    auto owner = [&](uint32_t at) {
      auto above = std::upper_bound(from.offsets().begin(), from.offsets().end(), at);
      return static_cast<uint32_t>(above - from.offsets().begin()) - 1;
    };
    if (cast.to_type.kind == TypeKind::kArray) {
      out.children()[0] =
          cast_child(from.children()[0], *cast.from_type.children[0], *cast.to_type.children[0], rows, owner);
    } else {
      const Column& entries = *from.children()[0];
      auto pairs = std::make_shared<Column>(PhysicalType::kStruct);
      pairs->resize(entries.size());
      for (size_t i = 0; i < 2; ++i) {
        pairs->children().push_back(
            cast_child(entries.children()[i], *cast.from_type.children[i], *cast.to_type.children[i], rows, owner));
      }
      out.children()[0] = pairs;
    }
  }
  if (!from.has_nulls()) return;
  for (uint32_t row : cast.rows) {
    if (from.is_null(row)) out.set_null(row);
  }
}

}  // namespace millrace
