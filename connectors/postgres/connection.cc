#include "connectors/postgres/connection.h"

#include <poll.h>
#include <postgresql/libpq-fe.h>

#include <chrono>

#include "data/number_text.h"

namespace millrace {
namespace {

constexpr int kPollMs = 50;
constexpr int64_t kConnectMs = 10'000;

int64_t steady_ms() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

/// libpq's messages end in a newline and repeat "ERROR:".
std::string tidy_message(const char* text) {
  std::string message = text == nullptr ? "" : text;
  while (!message.empty() && (message.back() == '\n' || message.back() == ' ')) message.pop_back();
  for (size_t at = message.find('\n'); at != std::string::npos; at = message.find('\n')) message.replace(at, 1, "; ");
  return message;
}

struct ResultGuard {
  PGresult* result;
  ~ResultGuard() { PQclear(result); }
};

}  // namespace

std::string pg_identifier(std::string_view name) {
  std::string quoted = "\"";
  for (const char c : name) quoted.append(c == '"' ? 2 : 1, c);
  return quoted + '"';
}

std::string pg_literal(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) quoted.append(c == '\'' ? 2 : 1, c);
  return quoted + '\'';
}

ErrorCode pg_error_code(std::string_view sqlstate) {
  const std::string_view kind = sqlstate.substr(0, 2);
  if (sqlstate.empty() || kind == "08" || sqlstate.starts_with("57P0")) return ErrorCode::kUnreachable;
  if (kind == "22" || kind == "23" || kind == "44" || sqlstate == "P0001") return ErrorCode::kOutputRefused;
  // Full disks, too many sessions, deadlocks, locks not granted in time, an administrator's cancel: may pass.
  if (kind == "53" || kind == "40" || kind == "55" || kind == "57" || kind == "58" || kind == "XX" || kind == "25")
    return ErrorCode::kExternalFailed;
  return ErrorCode::kExternalRefused;
}

struct PgConnection::Handle {
  PGconn* conn = nullptr;
  std::string server;
  const std::atomic<bool>* stopping = nullptr;

  ~Handle() {
    if (conn == nullptr) return;
    if (PQstatus(conn) == CONNECTION_OK && PQtransactionStatus(conn) == PQTRANS_ACTIVE) {
      // The statement would go on without us, with its locks.
      if (PGcancel* cancel = PQgetCancel(conn)) {
        char ignored[256];
        PQcancel(cancel, ignored, sizeof ignored);
        PQfreeCancel(cancel);
      }
    }
    PQfinish(conn);
  }

  [[nodiscard]] bool stopped() const { return stopping != nullptr && stopping->load(std::memory_order_relaxed); }

  /// libpq gives no SQLSTATE for a connection that the server refuses.
  std::unexpected<Error> refused_or_lost() const {
    Error error = lost().error();
    for (const char* words : {"authentication failed", "does not exist", "pg_hba.conf", "no password supplied"})
      if (error.message.find(words) != std::string::npos) error.code = ErrorCode::kExternalRefused;
    return std::unexpected(std::move(error));
  }
  std::unexpected<Error> cancelled() const { return make_error(ErrorCode::kCancelled, "postgres " + server); }
  std::unexpected<Error> lost() const {
    return make_error(ErrorCode::kUnreachable, "postgres " + server + ": " + tidy_message(PQerrorMessage(conn)));
  }

  /// Waits until the socket is ready or a moment passed.
  void wait(bool write) const {
    pollfd waiting{PQsocket(conn), static_cast<short>(write ? POLLOUT : POLLIN), 0};
    ::poll(&waiting, 1, kPollMs);
  }

  Status connect() {
    const int64_t deadline = steady_ms() + kConnectMs;
    for (PostgresPollingStatusType state = PGRES_POLLING_WRITING; state != PGRES_POLLING_OK;
         state = PQconnectPoll(conn)) {
      if (state == PGRES_POLLING_FAILED) return refused_or_lost();
      pollfd waiting{PQsocket(conn), static_cast<short>(state == PGRES_POLLING_WRITING ? POLLOUT : POLLIN), 0};
      while (::poll(&waiting, 1, kPollMs) == 0) {
        if (stopped()) return cancelled();
        if (steady_ms() > deadline)
          return make_error(ErrorCode::kUnreachable, "postgres " + server + ": no answer within 10 s");
      }
    }
    server = std::string(PQhost(conn)) + ":" + PQport(conn) + "/" + PQdb(conn);
    return PQsetnonblocking(conn, 1) == 0 ? Status() : Status(lost());
  }

  Status flush() {
    while (true) {
      const int left = PQflush(conn);
      if (left == 0) return {};
      if (left < 0) return lost();
      if (stopped()) return cancelled();
      pollfd waiting{PQsocket(conn), POLLIN | POLLOUT, 0};
      ::poll(&waiting, 1, kPollMs);
      if ((waiting.revents & POLLIN) != 0 && PQconsumeInput(conn) == 0) return lost();
    }
  }

  /// The next result, or null at the end of the statement.
  Result<PGresult*> next() {
    MR_TRY(flush());
    while (PQisBusy(conn) != 0) {
      if (stopped()) return cancelled();
      wait(false);
      if (PQconsumeInput(conn) == 0) return lost();
    }
    return PQgetResult(conn);
  }

  Error error_of(const PGresult* result) const {
    const char* state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char* primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char* detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
    if (state == nullptr) return lost().error();
    std::string message = "postgres " + server + ": " + tidy_message(primary);
    if (detail != nullptr) message += " (" + tidy_message(detail) + ")";
    return Error{pg_error_code(state), message + " [SQLSTATE " + state + "]", {}};
  }

  /// Reads all results of a statement; the first error counts.
  Result<PgResult> collect() {
    PgResult all;
    std::optional<Error> failed;
    while (true) {
      MR_ASSIGN(PGresult * raw, next());
      if (raw == nullptr) break;
      const ResultGuard guard{raw};
      const ExecStatusType status = PQresultStatus(raw);
      if (status == PGRES_COPY_IN) {  // only left when copying failed on our side
        PQputCopyEnd(conn, "copying was given up");
        continue;
      }
      if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
        if (!failed) failed = error_of(raw);
        if (PQstatus(conn) == CONNECTION_BAD) break;
        continue;
      }
      for (int row = 0; row < PQntuples(raw); ++row) {
        auto& values = all.rows.emplace_back();
        for (int column = 0; column < PQnfields(raw); ++column) {
          if (PQgetisnull(raw, row, column) != 0)
            values.emplace_back();
          else
            values.emplace_back(PQgetvalue(raw, row, column));
        }
      }
      if (const auto affected = parse_int64(PQcmdTuples(raw))) all.affected = *affected;
    }
    if (failed) return std::unexpected(std::move(*failed));
    return all;
  }

  Status send(const std::string& sql, const std::vector<std::optional<std::string>>& parameters) {
    int sent = 0;
    if (parameters.empty()) {
      sent = PQsendQuery(conn, sql.c_str());
    } else {
      std::vector<const char*> values;
      for (const auto& one : parameters) values.push_back(one ? one->c_str() : nullptr);
      sent = PQsendQueryParams(conn, sql.c_str(), static_cast<int>(values.size()), nullptr, values.data(), nullptr,
                               nullptr, 0);
    }
    return sent == 1 ? Status() : Status(lost());
  }
};

PgConnection::PgConnection(std::unique_ptr<Handle> handle) : handle_(std::move(handle)) {}
PgConnection::~PgConnection() = default;
const std::string& PgConnection::server() const { return handle_->server; }

Result<std::unique_ptr<PgConnection>> PgConnection::open(const PgSessionOptions& options,
                                                         const std::atomic<bool>* stopping) {
  std::vector<const char*> keys{"dbname"};  // the first one is expanded as a dsn
  std::vector<const char*> values{options.dsn.c_str()};
  const auto set = [&](const char* key, const char* value) {
    keys.push_back(key);
    values.push_back(value);
  };
  if (!options.password.empty()) set("password", options.password.c_str());
  const std::string settings = "-c timezone=UTC -c datestyle=ISO -c client_min_messages=error -c lock_timeout=" +
                               std::to_string(options.lock_timeout_ms) + " -c idle_in_transaction_session_timeout=" +
                               std::to_string(options.idle_in_transaction_ms);
  set("options", settings.c_str());
  set("application_name", options.name.c_str());
  set("client_encoding", "UTF8");
  set("keepalives_idle", "5");
  set("keepalives_interval", "5");
  set("keepalives_count", "3");
  set("tcp_user_timeout", "20000");
  keys.push_back(nullptr);
  values.push_back(nullptr);
  auto handle = std::make_unique<Handle>();
  handle->stopping = stopping;
  handle->conn = PQconnectStartParams(keys.data(), values.data(), 1);
  if (handle->conn == nullptr) return make_error(ErrorCode::kExternalFailed, "postgres: out of memory");
  const char* host = PQhost(handle->conn);
  const char* port = PQport(handle->conn);
  handle->server = std::string(host == nullptr ? "" : host) + ":" + (port == nullptr ? "" : port);
  if (PQstatus(handle->conn) == CONNECTION_BAD) {
    const std::string message = tidy_message(PQerrorMessage(handle->conn));
    const bool unreadable = PQsocket(handle->conn) < 0 && message.find("connect") == std::string::npos;
    return make_error(unreadable ? ErrorCode::kConnectorOption : ErrorCode::kUnreachable,
                      "postgres " + handle->server + ": " + message);
  }
  MR_TRY(handle->connect());
  return std::unique_ptr<PgConnection>(new PgConnection(std::move(handle)));
}

Result<PgResult> PgConnection::query(const std::string& sql,
                                     const std::vector<std::optional<std::string>>& parameters) {
  MR_TRY(handle_->send(sql, parameters));
  return handle_->collect();
}

Status PgConnection::copy(const std::string& sql, std::string_view data) {
  MR_TRY(handle_->send(sql, {}));
  MR_ASSIGN(PGresult * raw, handle_->next());
  if (raw == nullptr) return handle_->lost();
  const ResultGuard guard{raw};
  if (PQresultStatus(raw) != PGRES_COPY_IN) {
    Error error = handle_->error_of(raw);
    (void)handle_->collect();
    return std::unexpected(std::move(error));
  }
  constexpr size_t kPiece = 1 << 16;
  while (!data.empty()) {
    const std::string_view piece = data.substr(0, kPiece);
    const int put = PQputCopyData(handle_->conn, piece.data(), static_cast<int>(piece.size()));
    if (put < 0) return handle_->lost();
    if (put == 1) data.remove_prefix(piece.size());
    MR_TRY(handle_->flush());
  }
  while (PQputCopyEnd(handle_->conn, nullptr) == 0) MR_TRY(handle_->flush());
  MR_TRY(handle_->collect());
  return {};
}

}  // namespace millrace
