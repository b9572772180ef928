#include "data/row_codec.h"

#include <cstring>

namespace millrace {
namespace {

template <class T>
void put_bytes(std::string& out, const T& value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void encode_cell(const Column& column, uint32_t row, std::string& out) {
  if (column.is_null(row)) {
    out.push_back(0);
    return;
  }
  out.push_back(1);
  switch (column.type()) {
    case PhysicalType::kString: {
      const StringRef& text = column.values<StringRef>()[row];
      put_bytes(out, text.size);
      out.append(text.data, text.size);
      return;
    }
    case PhysicalType::kList: {
      const uint32_t begin = column.offsets()[row];
      const uint32_t end = column.offsets()[row + 1];
      put_bytes(out, end - begin);
      for (uint32_t e = begin; e < end; ++e) encode_cell(*column.children()[0], e, out);
      return;
    }
    case PhysicalType::kStruct:
      for (const ColumnPtr& child : column.children()) encode_cell(*child, row, out);
      return;
    default: {
      const size_t width = physical_width(column.type());
      out.append(column.values<char>() + row * width, width);
    }
  }
}

/// Columns under construction own their children alone.
Column& open_child(Column& column, size_t i) { return const_cast<Column&>(*column.children()[i]); }

class RowReader {
 public:
  RowReader(std::string_view bytes, Arena& arena) : bytes_(bytes), arena_(arena) {}

  bool cell(Column& out) {
    if (bytes_.empty()) return false;
    const char tag = bytes_.front();
    bytes_.remove_prefix(1);
    if (tag == 0) {
      append_null(out);
      return true;
    }
    const uint32_t row = out.size();
    out.resize(row + 1);
    switch (out.type()) {
      case PhysicalType::kString:
        return text(out, row);
      case PhysicalType::kList:
        return list(out, row);
      case PhysicalType::kStruct:
        for (size_t i = 0; i < out.children().size(); ++i) {
          if (!cell(open_child(out, i))) return false;
        }
        return true;
      default:
        return fixed(out, row);
    }
  }
  [[nodiscard]] bool done() const { return bytes_.empty(); }

 private:
  bool count(uint32_t& value) {
    if (bytes_.size() < sizeof value) return false;
    std::memcpy(&value, bytes_.data(), sizeof value);
    bytes_.remove_prefix(sizeof value);
    return true;
  }
  bool fixed(Column& out, uint32_t row) {
    const size_t width = physical_width(out.type());
    if (bytes_.size() < width) return false;
    std::memcpy(out.values<char>() + row * width, bytes_.data(), width);
    bytes_.remove_prefix(width);
    return true;
  }
  bool text(Column& out, uint32_t row) {
    uint32_t size = 0;
    if (!count(size) || bytes_.size() < size) return false;
    out.values<StringRef>()[row] = arena_.copy(bytes_.substr(0, size));
    bytes_.remove_prefix(size);
    return true;
  }
  bool list(Column& out, uint32_t row) {
    uint32_t elements = 0;
    if (!count(elements)) return false;
    for (uint32_t i = 0; i < elements; ++i) {
      if (!cell(open_child(out, 0))) return false;
    }
    out.offsets()[row + 1] = out.children()[0]->size();
    return true;
  }

  std::string_view bytes_;
  Arena& arena_;
};

}  // namespace

void append_null(Column& column) {
  column.resize(column.size() + 1);
  column.set_null(column.size() - 1);
  if (column.type() != PhysicalType::kStruct) return;
  for (size_t i = 0; i < column.children().size(); ++i) append_null(open_child(column, i));
}

void encode_row(const Batch& batch, uint32_t row, std::string& out) {
  for (const ColumnPtr& column : batch.columns) {
    if (column) {
      encode_cell(*column, row, out);
    } else {
      out.push_back(0);
    }
  }
}

bool decode_row(std::string_view bytes, std::span<const std::shared_ptr<Column>> columns, Arena& arena) {
  RowReader reader(bytes, arena);
  for (const auto& column : columns) {
    if (!reader.cell(*column)) return false;
  }
  return reader.done();
}

}  // namespace millrace
