#include "runtime/state_rows/state_text.h"

#include <algorithm>

#include "data/key_format.h"
#include "data/row_codec.h"
#include "plan/option_text.h"
#include "runtime/operators/row_text.h"

namespace millrace {

namespace {

std::unexpected<Error> unreadable(std::string_view what) {
  return make_error(ErrorCode::kCorruptState,
                    "a row does not fit the layout of its state at `" + std::string(what) + "`");
}

void append_name(std::string& out, std::string_view name) {
  if (out.size() > 1 && !out.ends_with('{') && !out.ends_with('[')) out.push_back(',');
  append_quoted_text(out, name);
  out.push_back(':');
}

/// Text where it is text, base64 otherwise.
void append_bytes(std::string& out, std::string_view bytes) {
  const bool printable = std::ranges::all_of(bytes, [](char c) { return c >= ' ' && c <= '~'; });
  if (printable) return append_quoted_text(out, bytes);
  const auto type = make_type(TypeKind::kBytes);
  auto column = make_column(*type);
  column->resize(1);
  column->values<StringRef>()[0] = StringRef(bytes);
  append_value_text(out, *type, *column, 0);
}

void append_time(std::string& out, int64_t time) { out += time == INT64_MIN ? "null" : std::to_string(time); }

std::vector<std::shared_ptr<Column>> make_columns(const std::vector<Field>& fields) {
  std::vector<std::shared_ptr<Column>> columns;
  for (const Field& field : fields) columns.push_back(make_column(*field.type));
  return columns;
}

int64_t tumbling_size(const StateSchema& schema) {
  if (schema.form != "tumbling window" || schema.key.empty() || schema.key[0].name != "window_start") return 0;
  for (const auto& [name, value] : schema.rules) {
    if (name == "size") return parse_duration(value).value_or(0);
  }
  return 0;
}

}  // namespace

std::unique_ptr<StateText> StateText::make(std::string_view layout, std::string_view name, StateKind kind,
                                           const FunctionRegistry& functions) {
  std::unique_ptr<StateText> made(new StateText(functions));
  made->schema_ = parse_state_layout(layout, name, kind);
  if (made->schema_) made->window_ms_ = tumbling_size(*made->schema_);
  return made;
}

Result<std::string> StateText::row(std::string_view key, std::string_view value) {
  std::string out = "{";
  if (!schema_) {
    append_name(out, "key");
    append_bytes(out, key);
    append_name(out, "value");
    append_bytes(out, value);
    return out + "}";
  }
  ByteReader keys(key);
  MR_TRY(fields(schema_->key, keys, out));
  if (window_ms_ > 0) {
    append_name(out, "window_end");
    append_time(out, ByteReader(key).get<int64_t>() + window_ms_);
  }
  ByteReader values(value);
  MR_TRY(fields(schema_->value, values, out));
  if (!keys.done() || !values.done()) return unreadable(schema_->name);
  return out + "}";
}

Status StateText::fields(const std::vector<StateField>& fields, ByteReader& in, std::string& out) {
  for (const StateField& one : fields) {
    MR_TRY(field(one, in, out));
    if (!in.ok()) return unreadable(one.name);
  }
  return {};
}

Status StateText::field(const StateField& field, ByteReader& in, std::string& out) {
  switch (field.form) {
    case StateForm::kInt64:
      append_name(out, field.name);
      out += std::to_string(in.get<int64_t>());
      return {};
    case StateForm::kTime:
      append_name(out, field.name);
      append_time(out, in.get<int64_t>());
      return {};
    case StateForm::kUint64:
      append_name(out, field.name);
      out += std::to_string(in.get<uint64_t>());
      return {};
    case StateForm::kUint32:
      append_name(out, field.name);
      out += std::to_string(in.get<uint32_t>());
      return {};
    case StateForm::kFlag:
      append_name(out, field.name);
      out += in.get<uint8_t>() != 0 ? "true" : "false";
      return {};
    case StateForm::kChoice: {
      const auto choice = in.get<uint32_t>();
      if (choice >= field.names.size()) return unreadable(field.name);
      append_name(out, field.name);
      append_quoted_text(out, field.names[choice]);
      return {};
    }
    case StateForm::kBytes:
      append_name(out, field.name);
      append_bytes(out, in.get_string());
      return {};
    case StateForm::kRest:
      append_name(out, field.name);
      append_bytes(out, in.get_raw(in.left()));
      return {};
    case StateForm::kKey:
    case StateForm::kKeyAlone:
      return key_columns(field, in.get_raw(in.left()), out);
    case StateForm::kRow:
      return row_columns(field, in, out);
    case StateForm::kList:
      return list(field, in, out);
    case StateForm::kOptional:
      return cell(field, in, out);
    case StateForm::kCells:
      return cells(field, in, out);
    case StateForm::kAggregate:
      return aggregate(field, in, out);
  }
  return {};
}

Status StateText::columns(const std::vector<Field>& fields, const std::vector<std::shared_ptr<Column>>& values,
                          std::string& out) {
  for (size_t i = 0; i < fields.size(); ++i) {
    append_name(out, fields[i].name);
    append_value_text(out, *fields[i].type, *values[i], 0);
  }
  return {};
}

Status StateText::key_columns(const StateField& field, std::string_view bytes, std::string& out) {
  std::vector<TypePtr> types;
  for (const Field& column : field.columns) types.push_back(column.type);
  const auto values = make_columns(field.columns);
  Arena arena;
  if (decode_key(bytes, types, values, arena)) return columns(field.columns, values, out);
  if (field.form != StateForm::kKeyAlone || bytes.empty()) return unreadable(field.name);
  const auto again = make_columns(field.columns);
  if (!decode_key(bytes.substr(0, bytes.size() - 1), types, again, arena)) return unreadable(field.name);
  MR_TRY(columns(field.columns, again, out));
  append_name(out, "alone");
  append_quoted_text(out, bytes.substr(bytes.size() - 1));
  return {};
}

/// A row as an object; a single value as itself.
Status StateText::row_columns(const StateField& field, ByteReader& in, std::string& out) {
  const std::string_view bytes = in.get_string();
  append_name(out, field.name);
  if (bytes.empty()) {
    out += "null";
    return {};
  }
  Arena arena;
  const auto values = make_columns(field.columns);
  if (!decode_row(bytes, values, arena)) return unreadable(field.name);
  if (values.size() == 1 && field.columns[0].name == field.name) {
    append_value_text(out, *field.columns[0].type, *values[0], 0);
    return {};
  }
  out.push_back('{');
  MR_TRY(columns(field.columns, values, out));
  out.push_back('}');
  return {};
}

Status StateText::list(const StateField& field, ByteReader& in, std::string& out) {
  append_name(out, field.name);
  out.push_back('[');
  const uint64_t count = in.get_varint();
  for (uint64_t i = 0; i < count && in.ok(); ++i) {
    if (i > 0) out.push_back(',');
    std::string element = "{";
    MR_TRY(fields(field.parts, in, element));
    out += element + "}";
  }
  out.push_back(']');
  return {};
}

Status StateText::cells(const StateField& field, ByteReader& in, std::string& out) {
  const uint64_t count = in.get_varint();
  for (uint64_t i = 0; i < field.parts.size(); ++i) {
    if (i < count) {
      MR_TRY(cell(field.parts[i], in, out));
    } else {
      append_name(out, field.parts[i].name);
      out += "null";
    }
    if (!in.ok()) return unreadable(field.parts[i].name);
  }
  return {};
}

/// A state of `process`: its value or the entries of its map. Everything else that may be there or not: an object.
Status StateText::cell(const StateField& cell, ByteReader& in, std::string& out) {
  append_name(out, cell.name);
  if (in.get<uint8_t>() == 0) {
    out += "null";
    return {};
  }
  std::string parts = "{";
  constexpr size_t kCellParts = 3;  // written, value, entries
  if (cell.parts.size() != kCellParts || cell.parts[0].name != "written") {
    MR_TRY(fields(cell.parts, in, parts));
    out += parts + "}";
    return {};
  }
  in.get<int64_t>();
  const StateField& value = cell.parts[1];
  const StateField& entries = cell.parts[2];
  std::string both[2];
  MR_TRY(field(value, in, both[0]));
  MR_TRY(field(entries, in, both[1]));
  const bool map = !entries.parts.empty();
  const std::string& shown = both[map ? 1 : 0];
  std::string name;
  append_name(name, map ? entries.name : value.name);
  out += shown.substr(name.size());
  return {};
}

Status StateText::aggregate(const StateField& field, ByteReader& in, std::string& out) {
  std::unique_ptr<AggregatePart>& part = parts_[&field];
  if (!part) {
    MR_ASSIGN(part, AggregatePart::make(field.aggregate, functions_));
  }
  MR_TRY(part->load(in));
  append_name(out, field.aggregate->whole ? field.aggregate->output : field.aggregate->text);
  const Result<std::string> text = part->text();
  if (text) {
    out += *text;
  } else {
    append_quoted_text(out, "error: " + text.error().message);
  }
  return {};
}

}  // namespace millrace
