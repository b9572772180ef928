// Writes encoded rows (row_text.h) into a table inside the current transaction: COPY to append, one `unnest` statement
// of many rows to upsert and one to delete. When the server refuses a row, halves the range until the row is found.
#pragma once

#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "connectors/postgres/connection.h"
#include "connectors/postgres/table.h"

namespace millrace {

class PgTableWriter {
 public:
  /// What to do with row `index` that the server refused: an error ends the writing.
  using RefusedRow = std::function<Status(size_t index, const Error& error)>;

  explicit PgTableWriter(PgTable table);
  /// REQUIRES: a transaction. Only the last operation of a key counts.
  Status write(PgConnection& connection, std::span<const std::string_view> rows, const RefusedRow& refused) const;
  /// BEGIN, write, COMMIT; constraints that are checked at the commit are found too.
  Status write_transaction(PgConnection& connection, std::span<const std::string_view> rows,
                           const RefusedRow& refused) const;
  [[nodiscard]] const PgTable& table() const { return table_; }

 private:
  Status write_range(PgConnection& connection, std::span<const std::string_view> rows) const;
  Status append(PgConnection& connection, std::span<const std::string_view> rows) const;
  Status bisect(PgConnection& connection, std::span<const std::string_view> rows, size_t first,
                const RefusedRow& refused) const;

  PgTable table_;
  std::string copy_sql_;
  std::string upsert_sql_;
  std::string delete_sql_;
};

}  // namespace millrace
