// A row as PostgreSQL reads it: each column's text, behind the operation. Checks whatever can be checked against the
// table's catalogue, because a row that the server refuses in a transaction refuses the whole transaction.
// Worker thread; pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "connectors/json/json_encoder.h"
#include "connectors/postgres/table.h"
#include "data/batch.h"

namespace millrace {

/// Bytes of a row: 'U' (write) or 'D' (delete), then per column a 4-byte length (all ones: NULL) and the text.
class PgRowEncoder {
 public:
  PgRowEncoder(SchemaPtr schema, PgTable table);
  /// Appends the row; answers why the table would refuse it (nothing was appended then).
  std::optional<std::string> append(const Batch& batch, uint32_t row, std::string& out) const;
  /// The row is not written at all: the old half of an update.
  [[nodiscard]] size_t columns() const { return table_.columns.size(); }
  [[nodiscard]] static bool skips(RowKind kind) { return kind == RowKind::kUpdateBefore; }

 private:
  /// Appends the text; the reason when the value does not fit.
  std::optional<std::string> append_value(size_t i, const Column& column, uint32_t row, std::string& out) const;

  SchemaPtr schema_;
  PgTable table_;
  std::vector<bool> is_key_;
  std::vector<JsonValueWriter> json_;
};

struct PgRow {
  bool removes = false;
  std::vector<std::optional<std::string_view>> values;
};
/// False: the bytes are damaged or of another number of columns.
bool read_pg_row(std::string_view bytes, size_t columns, PgRow& row);

}  // namespace millrace
