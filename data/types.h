// SQL types and schemas: what a column means. The physical layout is data/column.h; several types share one layout.
// Types are immutable values shared by pointer; equality is by structure.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/status.h"

namespace millrace {

enum class TypeKind : uint8_t {
  kNull,  // type of the literal NULL before it is coerced
  kBoolean,
  kTinyInt,
  kSmallInt,
  kInt,
  kBigInt,
  kFloat,
  kDouble,
  kDecimal,         // precision, scale
  kChar,            // length (only literals and functions of fixed length have it)
  kVarchar,         // length; STRING is kVarchar with kStringLengthMax
  kBytes,           // BYTES
  kDate,            // days since 1970-01-01
  kTime,            // milliseconds of the day; precision is for display
  kTimestamp,       // milliseconds since the epoch, no zone; precision is for display
  kTimestampLtz,    // milliseconds since the epoch, UTC
  kIntervalMillis,  // day-time interval in milliseconds
  kIntervalMonths,  // year-month interval in months
  kArray,           // children[0] = element
  kMap,             // children[0] = key, children[1] = value
  kRow,             // children = fields, names in field_names
  kVariant,
};

/// How values lie in memory (architecture.md §3).
enum class PhysicalType : uint8_t { kBool, kInt32, kInt64, kFloat, kDouble, kInt128, kString, kList, kStruct };

class DataType;
using TypePtr = std::shared_ptr<const DataType>;

inline constexpr int kStringLengthMax = 2147483647;
inline constexpr int kDecimalPrecisionMax = 38;

class DataType {
 public:
  TypeKind kind = TypeKind::kNull;
  bool nullable = true;
  int precision = 0;  // DECIMAL, TIME, TIMESTAMP*; length of CHAR and VARCHAR
  int scale = 0;      // DECIMAL; of INTERVAL SECOND the display digits
  std::vector<TypePtr> children;
  std::vector<std::string> field_names;  // ROW

  [[nodiscard]] PhysicalType physical() const;
  [[nodiscard]] bool is_integer() const { return kind >= TypeKind::kTinyInt && kind <= TypeKind::kBigInt; }
  [[nodiscard]] bool is_numeric() const { return kind >= TypeKind::kTinyInt && kind <= TypeKind::kDecimal; }
  [[nodiscard]] bool is_text() const { return kind == TypeKind::kChar || kind == TypeKind::kVarchar; }
  [[nodiscard]] bool is_temporal() const { return kind >= TypeKind::kDate && kind <= TypeKind::kTimestampLtz; }
  /// Flink's text form without a trailing NOT NULL of the type itself: "DECIMAL(10, 2)", "ARRAY<INT NOT NULL>",
  /// "STRING".
  [[nodiscard]] std::string to_string() const;
};

/// Structural equality, `nullable` at the top ignored, inside children compared.
bool same_type(const DataType& a, const DataType& b);

TypePtr make_type(TypeKind kind, bool nullable = true);
TypePtr make_decimal(int precision, int scale, bool nullable = true);
TypePtr make_text(TypeKind kind, int length, bool nullable = true);  // kChar or kVarchar
TypePtr make_string(bool nullable = true);                           // STRING
TypePtr make_temporal(TypeKind kind, int precision, bool nullable = true);
TypePtr make_array(TypePtr element, bool nullable = true);
TypePtr make_map(TypePtr key, TypePtr value, bool nullable = true);
TypePtr make_row(std::vector<std::string> names, std::vector<TypePtr> types, bool nullable = true);
TypePtr with_nullable(const TypePtr& type, bool nullable);

/// Parses "DECIMAL(10,2)", "STRING NOT NULL", "ARRAY<ROW<a INT, b STRING>>" (names in any letter case).
/// The error's message says what was not understood. `consumed`, when given, receives how many characters belong to the
/// type, so that a caller can read what follows (FROM, AS, METADATA); without it trailing text is an error.
Result<TypePtr> parse_type(std::string_view text, size_t* consumed = nullptr);

struct Field {
  std::string name;
  TypePtr type;
};

/// Named, ordered columns. The event time is a property of the row and not among them (it may be a copy of one).
struct Schema {
  std::vector<Field> fields;

  [[nodiscard]] size_t size() const { return fields.size(); }
  [[nodiscard]] std::optional<size_t> find(std::string_view name) const;
};
using SchemaPtr = std::shared_ptr<const Schema>;

}  // namespace millrace
