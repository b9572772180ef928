// A table as its catalogue describes it, matched with the columns that a sink writes: names, types, NOT NULL, lengths,
// the unique index behind an upsert. Everything that can be wrong between a job and a table is found here, at the
// start.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "connectors/postgres/connection.h"
#include "data/types.h"

namespace millrace {

struct PgColumn {
  std::string name;
  std::string type;        // "int4", of a domain its base
  std::string full_type;   // "character varying(10)", for messages
  std::string array_type;  // "character varying[]", for casts
  bool not_null = false;
  int length = -1;     // varchar and bpchar, characters; -1: no limit
  int precision = -1;  // numeric; -1: no limit
  int scale = 0;
};

/// What is written where; an exactly-once entry records it as text.
struct PgWrite {
  std::string table;  // "accounts" or "schema.accounts"
  bool upsert = false;
  std::vector<std::string> key;
  std::vector<std::string> columns;

  [[nodiscard]] std::string to_text() const;
  static Result<PgWrite> from_text(std::string_view text);
};

struct PgTable {
  std::string name;  // quoted
  PgWrite write;
  std::vector<PgColumn> columns;  // one per write.columns
  std::vector<uint32_t> key;      // of `columns`
};

/// Reads the catalogue and checks that the table takes these columns.
Result<PgTable> resolve_pg_table(PgConnection& connection, const PgWrite& write);
/// Checks that values of the schema's types fit the columns, in order.
Status check_pg_types(const Schema& schema, const PgTable& table);
/// "schema.table" quoted.
std::string pg_table_name(std::string_view table);

}  // namespace millrace
