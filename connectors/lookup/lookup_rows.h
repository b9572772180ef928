// Texts to typed rows and encoded keys to texts, for tables that answer in text. One object per thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "connectors/json/json_encoder.h"
#include "connectors/text/column_target.h"
#include "runtime/spi/lookup.h"

namespace millrace {

/// Collects the rows of one answer.
class LookupRows {
 public:
  static Result<LookupRows> make(const SchemaPtr& schema);
  /// One text per column; nullopt: NULL. The error names the column and the value.
  Status add(uint32_t key, const std::vector<std::optional<std::string>>& texts);
  /// Rows that a format decoded instead; for answers that are records.
  void adopt(Batch rows, std::vector<uint32_t> key_of_row) {
    adopted_ = std::move(rows);
    key_of_row_ = std::move(key_of_row);
  }
  /// Hands the rows over and starts anew.
  void finish(LookupAnswer& answer);

 private:
  void reset();

  SchemaPtr schema_;
  std::vector<ColumnTarget> targets_;
  std::vector<std::shared_ptr<Column>> columns_;
  ArenaPtr arena_;
  std::vector<uint32_t> key_of_row_;
  std::optional<Batch> adopted_;
};

/// Encoded keys as one text per column.
class LookupKeys {
 public:
  LookupKeys(std::vector<TypePtr> types, const JsonOutOptions& options);
  Result<std::vector<std::string>> texts(std::string_view key) const;

 private:
  std::vector<TypePtr> types_;
  std::vector<JsonValueWriter> writers_;
};

/// Reports types that have no plain text: only scalars can be asked for and answered.
void check_lookup_types(const LookupConfig& config, Position at, Diagnostics& diagnostics);

}  // namespace millrace
