// A Redis session: RESP2 over TCP, commands sent in pipelines. Calls wait, so it lives on a thread of its own; waiting
// ends within a moment once `stopping` is set. After a transport error the session is of no use.
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

/// Appends a command as RESP: an array of bulk strings.
void append_redis_command(std::string& out, const std::vector<std::string_view>& words);

struct RedisReply {
  enum class Kind : uint8_t { kText, kInteger, kNull, kArray, kError };
  Kind kind = Kind::kNull;
  std::string text;  // kText, kError
  int64_t integer = 0;
  std::vector<RedisReply> items;
};

/// Takes one reply off the front of `bytes`; nothing when it is not complete yet.
Result<std::optional<RedisReply>> take_redis_reply(std::string_view& bytes);

struct RedisOptions {
  std::string host;
  std::string port;
  std::string user;      // "": the default user
  std::string password;  // "": none
  int64_t database = 0;
};

class RedisConnection {
 public:
  static Result<std::unique_ptr<RedisConnection>> open(const RedisOptions& options, const std::atomic<bool>* stopping);
  ~RedisConnection();
  RedisConnection(const RedisConnection&) = delete;
  RedisConnection& operator=(const RedisConnection&) = delete;

  /// Sends commands and reads that many replies, errors among them.
  Result<std::vector<RedisReply>> pipeline(std::string_view commands, size_t replies);
  [[nodiscard]] const std::string& server() const { return server_; }

 private:
  RedisConnection(std::string server, const std::atomic<bool>* stopping);
  Status connect(const RedisOptions& options);
  Status log_in(const RedisOptions& options);
  Status wait(short events, int64_t deadline_ms) const;
  [[nodiscard]] std::unexpected<Error> lost(const std::string& why) const;

  std::string server_;
  const std::atomic<bool>* stopping_;
  int fd_ = -1;
  std::string received_;
};

/// What an error reply means: LOADING, READONLY, OOM … may pass; NOAUTH, WRONGTYPE … will not.
ErrorCode redis_error_code(std::string_view message);

}  // namespace millrace
