#include "data/types.h"

#include <cctype>
#include <utility>

namespace millrace {

PhysicalType DataType::physical() const {
  switch (kind) {
    case TypeKind::kNull:
    case TypeKind::kBoolean:
      return PhysicalType::kBool;
    case TypeKind::kTinyInt:
    case TypeKind::kSmallInt:
    case TypeKind::kInt:
    case TypeKind::kDate:
    case TypeKind::kTime:
    case TypeKind::kIntervalMonths:
      return PhysicalType::kInt32;
    case TypeKind::kBigInt:
    case TypeKind::kTimestamp:
    case TypeKind::kTimestampLtz:
    case TypeKind::kIntervalMillis:
      return PhysicalType::kInt64;
    case TypeKind::kFloat:
      return PhysicalType::kFloat;
    case TypeKind::kDouble:
      return PhysicalType::kDouble;
    case TypeKind::kDecimal:
      return PhysicalType::kInt128;
    case TypeKind::kChar:
    case TypeKind::kVarchar:
    case TypeKind::kBytes:
    case TypeKind::kVariant:
      return PhysicalType::kString;
    case TypeKind::kArray:
    case TypeKind::kMap:
      return PhysicalType::kList;
    case TypeKind::kRow:
      return PhysicalType::kStruct;
  }
  return PhysicalType::kBool;
}

namespace {

std::string nested_text(const DataType& type) { return type.to_string() + (type.nullable ? "" : " NOT NULL"); }

std::string with_number(std::string_view name, int number) {
  return std::string(name) + "(" + std::to_string(number) + ")";
}

std::string row_text(const DataType& type) {
  std::string text = "ROW<";
  for (size_t i = 0; i < type.children.size(); ++i) {
    if (i > 0) text += ", ";
    text += '`';
    for (char c : type.field_names[i]) {
      if (c == '`') text += '`';  // doubled, as the parser reads it
      text += c;
    }
    text += "` " + nested_text(*type.children[i]);
  }
  return text + ">";
}

}  // namespace

std::string DataType::to_string() const {
  switch (kind) {
    case TypeKind::kNull:
      return "NULL";
    case TypeKind::kBoolean:
      return "BOOLEAN";
    case TypeKind::kTinyInt:
      return "TINYINT";
    case TypeKind::kSmallInt:
      return "SMALLINT";
    case TypeKind::kInt:
      return "INT";
    case TypeKind::kBigInt:
      return "BIGINT";
    case TypeKind::kFloat:
      return "FLOAT";
    case TypeKind::kDouble:
      return "DOUBLE";
    case TypeKind::kDecimal:
      return "DECIMAL(" + std::to_string(precision) + ", " + std::to_string(scale) + ")";
    case TypeKind::kChar:
      return with_number("CHAR", precision);
    case TypeKind::kVarchar:
      return precision == kStringLengthMax ? "STRING" : with_number("VARCHAR", precision);
    case TypeKind::kBytes:
      return "BYTES";
    case TypeKind::kDate:
      return "DATE";
    case TypeKind::kTime:
      return with_number("TIME", precision);
    case TypeKind::kTimestamp:
      return with_number("TIMESTAMP", precision);
    case TypeKind::kTimestampLtz:
      return with_number("TIMESTAMP_LTZ", precision);
    case TypeKind::kIntervalMillis:
      return "INTERVAL SECOND(3)";
    case TypeKind::kIntervalMonths:
      return "INTERVAL MONTH";
    case TypeKind::kArray:
      return "ARRAY<" + nested_text(*children[0]) + ">";
    case TypeKind::kMap:
      return "MAP<" + nested_text(*children[0]) + ", " + nested_text(*children[1]) + ">";
    case TypeKind::kRow:
      return row_text(*this);
    case TypeKind::kVariant:
      return "VARIANT";
  }
  return "?";
}

bool same_type(const DataType& a, const DataType& b) {
  if (a.kind != b.kind || a.field_names != b.field_names || a.children.size() != b.children.size()) return false;
  const bool interval = a.kind == TypeKind::kIntervalMillis || a.kind == TypeKind::kIntervalMonths;
  if (!interval && (a.precision != b.precision || a.scale != b.scale)) return false;
  for (size_t i = 0; i < a.children.size(); ++i) {
    if (a.children[i]->nullable != b.children[i]->nullable || !same_type(*a.children[i], *b.children[i])) return false;
  }
  return true;
}

namespace {

std::shared_ptr<DataType> new_type(TypeKind kind, bool nullable) {
  auto type = std::make_shared<DataType>();
  type->kind = kind;
  type->nullable = nullable;
  return type;
}

}  // namespace

TypePtr make_type(TypeKind kind, bool nullable) {
  auto type = new_type(kind, nullable);
  if (kind == TypeKind::kDecimal) type->precision = 10;
  if (kind == TypeKind::kVarchar) type->precision = kStringLengthMax;
  if (kind == TypeKind::kChar) type->precision = 1;
  if (kind == TypeKind::kTimestamp || kind == TypeKind::kTimestampLtz) type->precision = 3;
  return type;
}

TypePtr make_decimal(int precision, int scale, bool nullable) {
  auto type = new_type(TypeKind::kDecimal, nullable);
  type->precision = precision;
  type->scale = scale;
  return type;
}

TypePtr make_text(TypeKind kind, int length, bool nullable) {
  auto type = new_type(kind, nullable);
  type->precision = length;
  return type;
}

TypePtr make_string(bool nullable) { return make_text(TypeKind::kVarchar, kStringLengthMax, nullable); }

TypePtr make_temporal(TypeKind kind, int precision, bool nullable) {
  auto type = new_type(kind, nullable);
  type->precision = precision;
  return type;
}

TypePtr make_array(TypePtr element, bool nullable) {
  auto type = new_type(TypeKind::kArray, nullable);
  type->children = {std::move(element)};
  return type;
}

TypePtr make_map(TypePtr key, TypePtr value, bool nullable) {
  auto type = new_type(TypeKind::kMap, nullable);
  type->children = {std::move(key), std::move(value)};
  return type;
}

TypePtr make_row(std::vector<std::string> names, std::vector<TypePtr> types, bool nullable) {
  MR_CHECK(names.size() == types.size(), "a ROW has a name for each type");
  auto type = new_type(TypeKind::kRow, nullable);
  type->field_names = std::move(names);
  type->children = std::move(types);
  return type;
}

TypePtr with_nullable(const TypePtr& type, bool nullable) {
  if (type->nullable == nullable) return type;
  auto copy = std::make_shared<DataType>(*type);
  copy->nullable = nullable;
  return copy;
}

std::optional<size_t> Schema::find(std::string_view name) const {
  for (size_t i = 0; i < fields.size(); ++i) {
    if (fields[i].name == name) return i;
  }
  return std::nullopt;
}

}  // namespace millrace
