#include "connectors/csv/csv_text.h"

#include <algorithm>

#include "data/column.h"

namespace millrace {

CsvOptions CsvOptions::from(const OptionValues& options) {
  CsvOptions csv;
  const std::string delimiter = options.text("delimiter");
  if (delimiter == "\\t") csv.delimiter = '\t';
  if (delimiter.size() == 1) csv.delimiter = delimiter.front();
  csv.header = options.boolean("header", true);
  return csv;
}

namespace {

/// Reads a quoted field; `at` stands behind the opening quote and moves behind the closing one.
bool take_quoted(std::string_view record, size_t& at, CsvField& field, Arena& arena) {
  const size_t start = at;
  size_t doubled = 0;
  for (;;) {
    at = record.find('"', at);
    if (at == std::string_view::npos) return false;
    if (at + 1 >= record.size() || record[at + 1] != '"') break;
    ++doubled;
    at += 2;
  }
  field.quoted = true;
  field.text = record.substr(start, at - start);
  ++at;
  if (doubled == 0) return true;
  char* to = arena.allocate(field.text.size() - doubled);
  const std::string_view kept(to, field.text.size() - doubled);
  for (size_t i = 0; i < field.text.size(); ++i) {
    *to++ = field.text[i];
    if (field.text[i] == '"') ++i;
  }
  field.text = kept;
  return true;
}

}  // namespace

bool split_csv(std::string_view record, char delimiter, std::vector<CsvField>& fields, Arena& arena) {
  fields.clear();
  size_t at = 0;
  for (;;) {
    CsvField field;
    if (at < record.size() && record[at] == '"') {
      ++at;
      if (!take_quoted(record, at, field, arena)) return false;
      if (at < record.size() && record[at] != delimiter) return false;
    } else {
      const size_t end = std::min(record.find(delimiter, at), record.size());
      field.text = record.substr(at, end - at);
      if (field.text.find('"') != std::string_view::npos) return false;
      at = end;
    }
    fields.push_back(field);
    if (at >= record.size()) return true;
    ++at;  // the delimiter
  }
}

void append_csv_text(std::string& out, std::string_view text, char delimiter) {
  const bool plain = !text.empty() &&
                     std::none_of(text.begin(), text.end(),
                                  [&](char c) { return c == delimiter || c == '"' || c == '\n' || c == '\r'; }) &&
                     text.front() != ' ' && text.back() != ' ';
  if (plain) {
    out += text;
    return;
  }
  out.push_back('"');
  for (const char c : text) {
    if (c == '"') out.push_back('"');
    out.push_back(c);
  }
  out.push_back('"');
}

std::string csv_header(const Schema& schema, const CsvOptions& options, bool with_op) {
  std::string line;
  if (with_op) line += "op";
  for (size_t i = 0; i < schema.size(); ++i) {
    if (i > 0 || with_op) line.push_back(options.delimiter);
    append_csv_text(line, schema.fields[i].name, options.delimiter);
  }
  return line;
}

}  // namespace millrace
