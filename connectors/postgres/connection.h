// One session with a PostgreSQL server. Calls wait, so it lives on a thread of its own (or a committer thread), never
// on a worker; waiting ends within a moment once `stopping` is set. After an error outside a statement's own (a lost
// connection) the session is of no use: make a new one.
//
// What errors mean: no answer is kUnreachable or kExternalFailed (transient), a value or constraint that refuses a row
// is kOutputRefused, a missing table or right is kExternalRefused.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/status.h"

namespace millrace {

struct PgResult {
  std::vector<std::vector<std::optional<std::string>>> rows;
  int64_t affected = 0;
};

struct PgSessionOptions {
  std::string dsn;       // URI or key=value words, secrets included: never logged
  std::string password;  // "": the dsn's
  std::string name;      // application_name, at most 63 bytes
  int64_t lock_timeout_ms = 0;
  int64_t idle_in_transaction_ms = 0;
};

class PgConnection {
 public:
  /// `stopping` may be null.
  static Result<std::unique_ptr<PgConnection>> open(const PgSessionOptions& options, const std::atomic<bool>* stopping);
  ~PgConnection();
  PgConnection(const PgConnection&) = delete;
  PgConnection& operator=(const PgConnection&) = delete;

  /// Parameters are texts, nullopt = NULL.
  Result<PgResult> query(const std::string& sql, const std::vector<std::optional<std::string>>& parameters = {});
  Status run(const std::string& sql) {
    MR_TRY(query(sql));
    return {};
  }
  /// COPY … FROM STDIN with the given text rows.
  Status copy(const std::string& sql, std::string_view data);
  /// "host:port/database", for messages.
  [[nodiscard]] const std::string& server() const;

 private:
  struct Handle;
  explicit PgConnection(std::unique_ptr<Handle> handle);
  std::unique_ptr<Handle> handle_;
};

/// "name" quoted as an identifier; `a.b` of `schema.table` is the caller's to split.
std::string pg_identifier(std::string_view name);
/// 'text' quoted as a literal (standard_conforming_strings).
std::string pg_literal(std::string_view text);
/// The error of an SQLSTATE ("" = the connection broke).
ErrorCode pg_error_code(std::string_view sqlstate);

}  // namespace millrace
