#include "runtime/metadata_columns.h"

namespace millrace {

namespace {

template <class F>
void for_each_metadata_row(uint32_t rows, std::span<const uint32_t> record_of_row, F&& f) {
  for (uint32_t row = 0; row < rows; ++row) f(row, record_of_row.empty() ? row : record_of_row[row]);
}

template <class F>
void fill_number(Column& out, uint32_t rows, std::span<const uint32_t> record_of_row, F&& value_of) {
  for_each_metadata_row(rows, record_of_row, [&](uint32_t row, uint32_t record) {
    const int64_t value = value_of(record);
    if (out.type() == PhysicalType::kInt32) {
      out.values<int32_t>()[row] = static_cast<int32_t>(value);
    } else {
      out.values<int64_t>()[row] = value;
    }
  });
}

void fill_headers(Column& out, const RecordBatch& records, uint32_t rows, std::span<const uint32_t> record_of_row,
                  const DataType& type) {
  auto names = make_column(*type.children[0]);
  auto values = make_column(*type.children[1]);
  out.offsets().assign(1, 0);
  uint32_t total = 0;
  for_each_metadata_row(rows, record_of_row, [&](uint32_t, uint32_t record) {
    total += records.records[record].headers;
    out.offsets().push_back(total);
  });
  names->resize(total);
  values->resize(total);
  uint32_t next = 0;
  for_each_metadata_row(rows, record_of_row, [&](uint32_t, uint32_t record) {
    const Record& r = records.records[record];
    for (uint32_t h = 0; h < r.headers; ++h, ++next) {
      names->values<StringRef>()[next] = records.headers[r.first_header + h].name;
      values->values<StringRef>()[next] = records.headers[r.first_header + h].value;
    }
  });
  auto entries = std::make_shared<Column>(PhysicalType::kStruct);
  entries->resize(total);
  entries->children() = {names, values};
  out.children() = {entries};
}

}  // namespace

ColumnPtr metadata_column(std::string_view metadata, const DataType& type, const RecordBatch& records, uint32_t rows,
                          std::span<const uint32_t> record_of_row, Arena& arena) {
  auto out = make_column(type);
  out->resize(rows);
  const std::vector<Record>& from = records.records;
  if (metadata == "topic" || metadata == "path") {
    const StringRef text = arena.copy(records.topic);
    for (uint32_t row = 0; row < rows; ++row) out->values<StringRef>()[row] = text;
  } else if (metadata == "partition") {
    fill_number(*out, rows, record_of_row, [&](uint32_t) { return int64_t{records.partition}; });
  } else if (metadata == "offset") {
    fill_number(*out, rows, record_of_row, [&](uint32_t record) { return from[record].offset; });
  } else if (metadata == "timestamp") {
    fill_number(*out, rows, record_of_row, [&](uint32_t record) { return from[record].timestamp; });
  } else if (metadata == "line") {
    fill_number(*out, rows, record_of_row, [&](uint32_t record) { return from[record].line; });
  } else if (metadata == "key") {
    for_each_metadata_row(rows, record_of_row, [&](uint32_t row, uint32_t record) {
      if (from[record].has_key) {
        out->values<StringRef>()[row] = from[record].key;
      } else {
        out->set_null(row);
      }
    });
  } else if (metadata == "headers") {
    fill_headers(*out, records, rows, record_of_row, type);
  } else {
    for (uint32_t row = 0; row < rows; ++row) out->set_null(row);
  }
  return out;
}

}  // namespace millrace
