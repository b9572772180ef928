#include "connectors/kafka/row_key.h"

namespace millrace {

RowKeyWriter::RowKeyWriter(const Schema& schema, std::vector<uint32_t> columns)
    : columns_(std::move(columns)), kind_(schema.fields[columns_.front()].type->kind) {
  for (const uint32_t column : columns_) {
    std::string name;
    append_json_utf8(name, schema.fields[column].name);
    names_.push_back(name + ":");
    writers_.emplace_back(*schema.fields[column].type, JsonOutOptions{});
  }
}

bool RowKeyWriter::append(const Batch& batch, uint32_t row, std::string& out) const {
  if (columns_.size() == 1) {
    const Column& column = *batch.columns[columns_.front()];
    if (column.is_null(row)) return false;
    append_plain(column, row, out);
    return true;
  }
  for (size_t i = 0; i < columns_.size(); ++i) {
    out += i == 0 ? '{' : ',';
    out += names_[i];
    writers_[i].append(*batch.columns[columns_[i]], row, out);
  }
  out += '}';
  return true;
}

void RowKeyWriter::append_plain(const Column& column, uint32_t row, std::string& out) const {
  if (column.type() == PhysicalType::kString) {  // texts and BYTES
    out += column.values<StringRef>()[row].view();
    return;
  }
  const size_t start = out.size();
  writers_.front().append(column, row, out);
  if (out.size() - start >= 2 && out[start] == '"') {  // DECIMAL, DATE, TIME: no escapes inside
    out.pop_back();
    out.erase(start, 1);
  }
}

}  // namespace millrace
