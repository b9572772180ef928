#include "connectors/postgres/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/nearest.h"
#include "data/number_text.h"

namespace millrace {
namespace {

constexpr char kFieldEnd = '\x1f';

std::vector<std::string> split_fields(std::string_view text) {
  std::vector<std::string> fields;
  while (!text.empty()) {
    const size_t end = text.find(kFieldEnd);
    fields.emplace_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return fields;
}

constexpr const char* kColumnsSql =
    "SELECT a.attname, coalesce(b.typname, t.typname), format_type(a.atttypid, a.atttypmod), "
    "format_type(a.atttypid, NULL) || '[]', a.attnotnull OR t.typnotnull, "
    "a.atthasdef OR a.attidentity <> '' OR t.typdefault IS NOT NULL, "
    "a.attgenerated <> '' OR a.attidentity = 'a', "
    "CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE a.atttypmod END, coalesce(b.typtype, t.typtype) "
    "FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_type b ON b.oid = nullif(t.typbasetype, 0) "
    "WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum";

constexpr const char* kUniqueSql =
    "SELECT string_agg(a.attname, chr(31)) FROM pg_index i "
    "JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey[0:i.indnkeyatts - 1]) "
    "WHERE i.indrelid = to_regclass($1) AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL "
    "AND i.indexprs IS NULL GROUP BY i.indexrelid";

struct CatalogueColumn {
  PgColumn column;
  bool has_default = false;
  bool generated = false;
};

CatalogueColumn catalogue_column(const std::vector<std::optional<std::string>>& row) {
  CatalogueColumn one;
  one.column.name = *row[0];
  one.column.type = row[8] == "e" ? "enum" : *row[1];
  one.column.full_type = *row[2];
  one.column.array_type = *row[3];
  one.column.not_null = row[4] == "t";
  one.has_default = row[5] == "t";
  one.generated = row[6] == "t";
  const auto modifier = static_cast<int>(parse_int64(*row[7]).value_or(-1));
  if (modifier < 4) return one;
  if (one.column.type == "varchar" || one.column.type == "bpchar") one.column.length = modifier - 4;
  if (one.column.type == "numeric") {
    one.column.precision = ((modifier - 4) >> 16) & 0xffff;
    one.column.scale = (((modifier - 4) & 0x7ff) ^ 1024) - 1024;
  }
  return one;
}

Status check_key(PgConnection& connection, const PgTable& table) {
  MR_ASSIGN(const PgResult indexes, connection.query(kUniqueSql, {table.name}));
  const std::set<std::string> key(table.write.key.begin(), table.write.key.end());
  for (const auto& row : indexes.rows) {
    const std::vector<std::string> columns = split_fields(row[0].value_or(""));
    if (std::set<std::string>(columns.begin(), columns.end()) == key) return {};
  }
  const std::string names = fmt::format("{}", fmt::join(table.write.key, ", "));
  return make_error(ErrorCode::kExternalRefused,
                    fmt::format("the table {} has no primary key or unique index on ({})", table.write.table, names),
                    fmt::format("`mode: upsert` needs one: ALTER TABLE {} ADD PRIMARY KEY ({})", table.name, names));
}

std::string_view type_family(TypeKind kind) {
  switch (kind) {
    case TypeKind::kBoolean:
      return "bool text varchar";
    case TypeKind::kTinyInt:
    case TypeKind::kSmallInt:
    case TypeKind::kInt:
    case TypeKind::kBigInt:
      return "int2 int4 int8 numeric float4 float8 text varchar";
    case TypeKind::kFloat:
    case TypeKind::kDouble:
      return "float4 float8 text varchar";
    case TypeKind::kDecimal:
      return "numeric float8 text varchar";
    case TypeKind::kChar:
    case TypeKind::kVarchar:
      return "text varchar bpchar enum uuid json jsonb name citext";
    case TypeKind::kBytes:
      return "bytea";
    case TypeKind::kDate:
      return "date text varchar";
    case TypeKind::kTime:
      return "time text varchar";
    case TypeKind::kTimestamp:
    case TypeKind::kTimestampLtz:
      return "timestamp timestamptz text varchar";
    case TypeKind::kIntervalMillis:
    case TypeKind::kIntervalMonths:
      return "interval";
    default:
      return "json jsonb text";
  }
}

bool has_word(std::string_view words, std::string_view word) {
  for (size_t at = words.find(word); at != std::string_view::npos; at = words.find(word, at + 1)) {
    const size_t end = at + word.size();
    if ((at == 0 || words[at - 1] == ' ') && (end == words.size() || words[end] == ' ')) return true;
  }
  return false;
}

}  // namespace

std::string PgWrite::to_text() const {
  std::string text =
      fmt::format("{}\n{}\n{}\n", table, upsert ? "upsert" : "append", fmt::join(key, std::string(1, kFieldEnd)));
  return text + fmt::format("{}", fmt::join(columns, std::string(1, kFieldEnd)));
}

Result<PgWrite> PgWrite::from_text(std::string_view text) {
  std::string_view lines[4];
  for (auto& line : lines) {
    const size_t end = text.find('\n');
    line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  PgWrite write{std::string(lines[0]), lines[1] == "upsert", split_fields(lines[2]), split_fields(lines[3])};
  if (write.table.empty() || write.columns.empty())
    return make_error(ErrorCode::kCorruptState, "an entry for postgres names no table");
  return write;
}

std::string pg_table_name(std::string_view table) {
  const size_t dot = table.find('.');
  if (dot == std::string_view::npos) return pg_identifier(table);
  return pg_identifier(table.substr(0, dot)) + "." + pg_identifier(table.substr(dot + 1));
}

Result<PgTable> resolve_pg_table(PgConnection& connection, const PgWrite& write) {
  PgTable table;
  table.name = pg_table_name(write.table);
  table.write = write;
  MR_ASSIGN(const PgResult found, connection.query(kColumnsSql, {table.name}));
  if (found.rows.empty()) {
    return make_error(ErrorCode::kExternalRefused,
                      fmt::format("postgres {}: there is no table {}", connection.server(), write.table),
                      "create it, or correct the name (letter case counts)");
  }
  std::vector<CatalogueColumn> all;
  std::vector<std::string_view> names;
  for (const auto& row : found.rows) all.push_back(catalogue_column(row));
  for (const auto& one : all) names.push_back(one.column.name);
  for (const std::string& name : write.columns) {
    const auto match = std::ranges::find_if(all, [&](const auto& one) { return one.column.name == name; });
    if (match == all.end()) {
      const std::string near = nearest_name(name, names);
      return make_error(ErrorCode::kUnknownColumn, fmt::format("the table {} has no column `{}`", write.table, name),
                        near.empty() ? "add it to the table, or leave it out with `map:`"
                                     : fmt::format("a column with a similar name exists: `{}`", near));
    }
    if (match->generated) {
      return make_error(ErrorCode::kExternalRefused,
                        fmt::format("the column `{}` of the table {} is generated by the server", name, write.table),
                        "leave it out with `map:`");
    }
    table.columns.push_back(match->column);
  }
  for (const auto& one : all) {
    if (!one.column.not_null || one.has_default || one.generated) continue;
    if (std::ranges::find(write.columns, one.column.name) != write.columns.end()) continue;
    return make_error(ErrorCode::kExternalRefused,
                      fmt::format("the column `{}` of the table {} is NOT NULL and the sink does not write it",
                                  one.column.name, write.table),
                      "add it with `map:`, or give the column a default");
  }
  for (const std::string& name : write.key) {
    const auto at = std::ranges::find(write.columns, name);
    table.key.push_back(static_cast<uint32_t>(at - write.columns.begin()));
  }
  if (write.upsert) MR_TRY(check_key(connection, table));
  return table;
}

Status check_pg_types(const Schema& schema, const PgTable& table) {
  for (size_t i = 0; i < schema.size(); ++i) {
    const PgColumn& column = table.columns[i];
    const DataType& type = *schema.fields[i].type;
    const std::string_view family = type_family(type.kind);
    if (type.kind == TypeKind::kNull || has_word(family, column.type)) continue;
    return make_error(ErrorCode::kTypeMismatch,
                      fmt::format("`{}` is {} and the table {} has {}", column.name, type.to_string(),
                                  table.write.table, column.full_type),
                      fmt::format("use CAST in a `map:`; {} goes into: {}", type.to_string(), family));
  }
  return {};
}

}  // namespace millrace
