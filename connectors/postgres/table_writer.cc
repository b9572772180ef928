#include "connectors/postgres/table_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "connectors/postgres/row_text.h"

namespace millrace {
namespace {

constexpr size_t kStatementRowsMax = 10'000;

void append_copy_value(const std::optional<std::string_view>& value, std::string& out) {
  if (!value) {
    out += "\\N";
    return;
  }
  for (const char c : *value) {
    switch (c) {
      case '\\':
        out += "\\\\";
        break;
      case '\t':
        out += "\\t";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      default:
        out += c;
    }
  }
}

void append_array_value(const std::optional<std::string_view>& value, std::string& out) {
  out += out.empty() ? '{' : ',';
  if (!value) {
    out += "NULL";
    return;
  }
  out += '"';
  for (const char c : *value) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  out += '"';
}

std::unexpected<Error> damaged() {
  return make_error(ErrorCode::kCorruptState, "a row for postgres is damaged, or was written for other columns");
}

std::string make_upsert(const PgTable& table, const std::vector<std::string>& names) {
  std::string arrays;
  for (size_t i = 0; i < names.size(); ++i)
    arrays += fmt::format("{}${}::{}", i == 0 ? "" : ", ", i + 1, table.columns[i].array_type);
  std::string keys;
  for (const uint32_t column : table.key) keys += (keys.empty() ? "" : ", ") + names[column];
  std::string updates;
  for (uint32_t i = 0; i < names.size(); ++i) {
    if (std::ranges::find(table.key, i) != table.key.end()) continue;
    updates += fmt::format("{}{} = EXCLUDED.{}", updates.empty() ? "" : ", ", names[i], names[i]);
  }
  return fmt::format("INSERT INTO {} ({}) SELECT * FROM unnest({}) ON CONFLICT ({}) DO {}", table.name,
                     fmt::join(names, ", "), arrays, keys, updates.empty() ? "NOTHING" : "UPDATE SET " + updates);
}

std::string make_delete(const PgTable& table, const std::vector<std::string>& names) {
  std::string arrays;
  std::string aliases;
  std::string equal;
  for (size_t i = 0; i < table.key.size(); ++i) {
    arrays += fmt::format("{}${}::{}", i == 0 ? "" : ", ", i + 1, table.columns[table.key[i]].array_type);
    aliases += fmt::format("{}k{}", i == 0 ? "" : ", ", i);
    equal += fmt::format("{}t.{} = k.k{}", i == 0 ? "" : " AND ", names[table.key[i]], i);
  }
  return fmt::format("DELETE FROM {} t USING unnest({}) AS k({}) WHERE {}", table.name, arrays, aliases, equal);
}

}  // namespace

PgTableWriter::PgTableWriter(PgTable table) : table_(std::move(table)) {
  std::vector<std::string> names;
  for (const PgColumn& column : table_.columns) names.push_back(pg_identifier(column.name));
  copy_sql_ = fmt::format("COPY {} ({}) FROM STDIN", table_.name, fmt::join(names, ", "));
  if (!table_.write.upsert) return;
  upsert_sql_ = make_upsert(table_, names);
  delete_sql_ = make_delete(table_, names);
}

Status PgTableWriter::append(PgConnection& connection, std::span<const std::string_view> rows) const {
  std::string data;
  PgRow row;
  for (const std::string_view bytes : rows) {
    if (!read_pg_row(bytes, table_.columns.size(), row)) return damaged();
    for (size_t i = 0; i < row.values.size(); ++i) {
      if (i > 0) data += '\t';
      append_copy_value(row.values[i], data);
    }
    data += '\n';
  }
  return connection.copy(copy_sql_, data);
}

Status PgTableWriter::write_range(PgConnection& connection, std::span<const std::string_view> rows) const {
  if (!table_.write.upsert) return append(connection, rows);
  std::unordered_map<std::string, size_t> last;  // a statement may touch a row once only
  std::vector<PgRow> read(rows.size());
  std::string key;
  for (size_t i = 0; i < rows.size(); ++i) {
    if (!read_pg_row(rows[i], table_.columns.size(), read[i])) return damaged();
    key.clear();
    for (const uint32_t column : table_.key) append_array_value(read[i].values[column], key);
    last[key] = i;
  }
  std::vector<size_t> kept;
  for (const auto& [text, index] : last) kept.push_back(index);
  std::ranges::sort(kept);
  std::vector<std::optional<std::string>> written(table_.columns.size(), std::string());
  std::vector<std::optional<std::string>> removed(table_.key.size(), std::string());
  for (const size_t i : kept) {
    if (read[i].removes) {
      for (size_t k = 0; k < removed.size(); ++k) append_array_value(read[i].values[table_.key[k]], *removed[k]);
    } else {
      for (size_t c = 0; c < written.size(); ++c) append_array_value(read[i].values[c], *written[c]);
    }
  }
  const auto run = [&](const std::string& sql, std::vector<std::optional<std::string>>& arrays) -> Status {
    if (arrays.empty() || arrays[0]->empty()) return {};
    for (auto& array : arrays) *array += '}';
    MR_TRY(connection.query(sql, arrays));
    return {};
  };
  // Deletions first: they may make room in another unique index.
  MR_TRY(run(delete_sql_, removed));
  return run(upsert_sql_, written);
}

Status PgTableWriter::bisect(PgConnection& connection, std::span<const std::string_view> rows, size_t first,
                             const RefusedRow& refused) const {
  MR_TRY(connection.run("SAVEPOINT millrace"));
  Status written = write_range(connection, rows);
  if (written) return connection.run("RELEASE SAVEPOINT millrace");
  if (written.error().code != ErrorCode::kOutputRefused) return written;
  MR_TRY(connection.run("ROLLBACK TO SAVEPOINT millrace; RELEASE SAVEPOINT millrace"));
  if (rows.size() == 1) return refused(first, written.error());
  const size_t half = rows.size() / 2;
  MR_TRY(bisect(connection, rows.first(half), first, refused));
  return bisect(connection, rows.subspan(half), first + half, refused);
}

Status PgTableWriter::write(PgConnection& connection, std::span<const std::string_view> rows,
                            const RefusedRow& refused) const {
  for (size_t first = 0; first < rows.size(); first += kStatementRowsMax) {
    const size_t count = std::min(kStatementRowsMax, rows.size() - first);
    MR_TRY(bisect(connection, rows.subspan(first, count), first, refused));
  }
  return {};
}

Status PgTableWriter::write_transaction(PgConnection& connection, std::span<const std::string_view> rows,
                                        const RefusedRow& refused) const {
  Status done;
  for (const bool immediate : {false, true}) {
    MR_TRY(connection.run(immediate ? "BEGIN; SET CONSTRAINTS ALL IMMEDIATE" : "BEGIN"));
    done = write(connection, rows, refused);
    if (!done) {
      (void)connection.run("ROLLBACK");
      return done;
    }
    done = connection.run("COMMIT");
    if (done || done.error().code != ErrorCode::kOutputRefused) return done;
    // A deferred constraint: checked row by row it tells which one.
  }
  return done;
}

}  // namespace millrace
