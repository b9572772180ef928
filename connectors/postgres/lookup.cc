#include "connectors/postgres/lookup.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "connectors/lookup/lookup_thread.h"
#include "connectors/postgres/options.h"
#include "data/number_text.h"

namespace millrace {
namespace {

constexpr const char* kLookupColumnsSql =
    "SELECT a.attname, t.typname, format_type(a.atttypid, NULL) || '[]' FROM pg_attribute a "
    "JOIN pg_type t ON t.oid = a.atttypid "
    "WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped";

struct LookupColumn {
  std::string type;
  std::string array_type;
};

/// The column as text that LookupRows reads.
std::string lookup_text(const std::string& column, const DataType& type, const std::string& pg_type) {
  switch (type.kind) {
    case TypeKind::kBoolean:
      return pg_type == "bool" ? fmt::format("CASE WHEN {0} THEN 'true' WHEN NOT {0} THEN 'false' END", column)
                               : column + "::text";
    case TypeKind::kBytes:
      return pg_type == "bytea" ? fmt::format("translate(encode({}, 'base64'), E'\\n', '')", column)
                                : column + "::text";
    case TypeKind::kTimestamp:
    case TypeKind::kTimestampLtz:
      if (pg_type == "timestamptz")
        return fmt::format("to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.MS')", column);
      if (pg_type == "timestamp") return fmt::format("to_char({}, 'YYYY-MM-DD HH24:MI:SS.MS')", column);
      return column + "::text";
    default:
      return column + "::text";
  }
}

void append_array_text(const std::string& value, std::string& out) {
  out += out.empty() ? "{\"" : ",\"";
  for (const char c : value) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  out += '"';
}

class PgLookup final : public LookupTarget {
 public:
  explicit PgLookup(const LookupConfig& config)
      : session_(read_pg_session(config.options)),
        table_(config.options.text("table")),
        schema_(config.schema),
        keys_(config.keys) {}

  Status connect(const std::atomic<bool>& stopping) override {
    connection_.reset();
    MR_ASSIGN(connection_, PgConnection::open(session_, &stopping));
    return resolve();
  }

  Status find(const std::vector<std::vector<std::string>>& keys, LookupRows& rows) override {
    std::vector<std::optional<std::string>> arrays;
    for (size_t column = 0; column < keys_.size(); ++column) {
      std::string array;
      for (const auto& key : keys) append_array_text(key[column], array);
      arrays.emplace_back(array + "}");
    }
    MR_ASSIGN(const PgResult found, connection_->query(sql_, arrays));
    std::vector<std::optional<std::string>> values(schema_->size());
    for (const auto& row : found.rows) {
      std::copy(row.begin() + 1, row.end(), values.begin());
      const int64_t number = parse_int64(*row[0]).value_or(0);
      if (number < 1 || static_cast<size_t>(number) > keys.size()) {
        return make_error(ErrorCode::kInternal, "postgres answered to a key that was not asked for");
      }
      if (Status added = rows.add(static_cast<uint32_t>(number - 1), values); !added) {
        return std::unexpected(std::move(added).error().with_context("the table " + table_));
      }
    }
    return {};
  }

 private:
  /// Checks the columns and makes the statement.
  Status resolve() {
    const std::string name = pg_table_name(table_);
    MR_ASSIGN(const PgResult found, connection_->query(kLookupColumnsSql, {name}));
    if (found.rows.empty()) {
      return make_error(ErrorCode::kExternalRefused,
                        fmt::format("postgres {}: there is no table {}", connection_->server(), table_),
                        "create it, or correct the name (letter case counts)");
    }
    std::map<std::string, LookupColumn> columns;
    for (const auto& row : found.rows) columns[*row[0]] = {*row[1], *row[2]};
    std::string selected;
    for (const Field& field : schema_->fields) {
      const auto column = columns.find(field.name);
      if (column == columns.end()) {
        return make_error(ErrorCode::kUnknownColumn,
                          fmt::format("the table {} has no column `{}`", table_, field.name));
      }
      selected += ", " + lookup_text("t." + pg_identifier(field.name), *field.type, column->second.type);
    }
    std::string arrays;
    std::string aliases;
    std::string equal;
    for (size_t i = 0; i < keys_.size(); ++i) {
      const std::string& key = schema_->fields[keys_[i]].name;
      const LookupColumn& column = columns.at(key);
      // Integers of any width are equal; a key too large for a narrow column is found nowhere instead of refused.
      const bool integer = column.type == "int2" || column.type == "int4" || column.type == "int8";
      arrays += fmt::format("{}${}::{}", i == 0 ? "" : ", ", i + 1, integer ? "bigint[]" : column.array_type);
      aliases += fmt::format("k{}, ", i);
      equal += fmt::format("{}t.{} = q.k{}", i == 0 ? "" : " AND ", pg_identifier(key), i);
    }
    sql_ = fmt::format("SELECT q.number{} FROM unnest({}) WITH ORDINALITY AS q({}number) JOIN {} t ON {}", selected,
                       arrays, aliases, name, equal);
    return {};
  }

  const PgSessionOptions session_;
  const std::string table_;
  const SchemaPtr schema_;
  const std::vector<uint32_t> keys_;
  std::unique_ptr<PgConnection> connection_;
  std::string sql_;
};

}  // namespace

LookupDescriptor postgres_lookup_descriptor() {
  LookupDescriptor descriptor;
  descriptor.help = "a table of PostgreSQL";
  descriptor.options = postgres_connection_options();
  OptionDescriptor table;
  table.name = "table";
  table.required = true;
  table.help = "the table; with a schema: `schema.table`";
  table.example = "users";
  descriptor.options.push_back(std::move(table));
  descriptor.check = check_lookup_types;
  descriptor.make = [](const LookupConfig& config, const Registry&) -> Result<LookupSourcePtr> {
    JsonOutOptions texts;
    texts.iso_timestamps = true;
    MR_ASSIGN(LookupRows rows, LookupRows::make(config.schema));
    return std::make_unique<LookupThread>(std::make_unique<PgLookup>(config), LookupKeys(config.key_types, texts),
                                          std::move(rows));
  };
  return descriptor;
}

}  // namespace millrace
