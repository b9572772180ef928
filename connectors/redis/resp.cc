#include "connectors/redis/resp.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>

namespace millrace {
namespace {

constexpr int kPollMs = 50;
constexpr int64_t kAnswerMs = 20'000;
constexpr int kDepthMax = 8;
constexpr int64_t kLengthMax = 512 << 20;  // Redis' own limit of a string

int64_t resp_clock_ms() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

std::unexpected<Error> not_resp() {
  return make_error(ErrorCode::kExternalRefused, "redis: the answer is not in Redis' protocol");
}

Result<std::optional<RedisReply>> take_reply(std::string_view& bytes, int depth) {
  const size_t end = bytes.find("\r\n");
  if (end == std::string_view::npos) return std::nullopt;
  if (end == 0 || depth > kDepthMax) return not_resp();
  const char mark = bytes[0];
  const std::string_view line = bytes.substr(1, end - 1);
  std::string_view rest = bytes.substr(end + 2);
  RedisReply reply;
  if (mark == '+' || mark == '-') {
    reply.kind = mark == '+' ? RedisReply::Kind::kText : RedisReply::Kind::kError;
    reply.text = line;
    bytes = rest;
    return reply;
  }
  const auto parsed = std::from_chars(line.data(), line.data() + line.size(), reply.integer);
  if (parsed.ec != std::errc() || parsed.ptr != line.data() + line.size()) return not_resp();
  const int64_t length = reply.integer;
  if (mark == ':') {
    reply.kind = RedisReply::Kind::kInteger;
  } else if ((mark != '$' && mark != '*') || length < -1 || length > kLengthMax) {
    return not_resp();
  } else if (length == -1) {
    reply.kind = RedisReply::Kind::kNull;
  } else if (mark == '$') {
    const auto size = static_cast<size_t>(length);
    if (rest.size() < size + 2) return std::nullopt;
    reply.kind = RedisReply::Kind::kText;
    reply.text = rest.substr(0, size);
    rest.remove_prefix(size + 2);
  } else {
    reply.kind = RedisReply::Kind::kArray;
    for (int64_t i = 0; i < length; ++i) {
      MR_ASSIGN(std::optional<RedisReply> item, take_reply(rest, depth + 1));
      if (!item) return std::nullopt;
      reply.items.push_back(std::move(*item));
    }
  }
  bytes = rest;
  return reply;
}

}  // namespace

void append_redis_command(std::string& out, const std::vector<std::string_view>& words) {
  out += "*" + std::to_string(words.size()) + "\r\n";
  for (const std::string_view word : words) {
    out += "$" + std::to_string(word.size()) + "\r\n";
    out.append(word);
    out += "\r\n";
  }
}

Result<std::optional<RedisReply>> take_redis_reply(std::string_view& bytes) { return take_reply(bytes, 0); }

ErrorCode redis_error_code(std::string_view message) {
  for (const char* word : {"LOADING", "BUSY", "READONLY", "MASTERDOWN", "TRYAGAIN", "OOM", "MISCONF", "NOREPLICAS"})
    if (message.starts_with(word)) return ErrorCode::kExternalFailed;
  if (message.starts_with("WRONGTYPE")) return ErrorCode::kOutputRefused;
  // Of this row only: a key that the user may not write, a value that is too large.
  if (message.starts_with("NOPERM") && message.find("keys") != std::string_view::npos) return ErrorCode::kOutputRefused;
  if (message.starts_with("ERR string exceeds maximum")) return ErrorCode::kOutputRefused;
  return ErrorCode::kExternalRefused;
}

RedisConnection::RedisConnection(std::string server, const std::atomic<bool>* stopping)
    : server_(std::move(server)), stopping_(stopping) {}

RedisConnection::~RedisConnection() {
  if (fd_ >= 0) ::close(fd_);
}

std::unexpected<Error> RedisConnection::lost(const std::string& why) const {
  return make_error(ErrorCode::kUnreachable, "redis " + server_ + ": " + why);
}

Status RedisConnection::wait(short events, int64_t deadline_ms) const {
  while (true) {
    pollfd waiting{fd_, events, 0};
    const int ready = ::poll(&waiting, 1, kPollMs);
    if (ready > 0) return {};
    if (ready < 0 && errno != EINTR) return lost(std::strerror(errno));
    if (stopping_ != nullptr && stopping_->load()) return make_error(ErrorCode::kCancelled, "redis " + server_);
    if (resp_clock_ms() > deadline_ms) return lost("no answer within " + std::to_string(kAnswerMs / 1000) + " s");
  }
}

Status RedisConnection::connect(const RedisOptions& options) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int error = ::getaddrinfo(options.host.c_str(), options.port.c_str(), &hints, &found); error != 0)
    return lost(::gai_strerror(error));
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> guard(found, ::freeaddrinfo);
  std::string why = "no address";
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = ::socket(one->ai_family, one->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, one->ai_protocol);
    if (fd_ < 0) continue;
    int failed = ::connect(fd_, one->ai_addr, one->ai_addrlen) == 0 ? 0 : errno;
    if (failed == EINPROGRESS) {
      MR_TRY(wait(POLLOUT, resp_clock_ms() + kAnswerMs));
      socklen_t size = sizeof failed;
      (void)::getsockopt(fd_, SOL_SOCKET, SO_ERROR, &failed, &size);
    }
    if (failed == 0) {
      const int on = 1;
      (void)::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      return {};
    }
    why = std::strerror(failed);
  }
  return lost(why);
}

Status RedisConnection::log_in(const RedisOptions& options) {
  std::string commands;
  size_t count = 1;
  if (!options.password.empty()) {
    std::vector<std::string_view> words{"AUTH"};
    if (!options.user.empty()) words.push_back(options.user);
    words.push_back(options.password);
    append_redis_command(commands, words);
    ++count;
  }
  append_redis_command(commands, {"SELECT", std::to_string(options.database)});
  MR_ASSIGN(const auto replies, pipeline(commands, count));
  for (const RedisReply& reply : replies) {
    if (reply.kind == RedisReply::Kind::kError)
      return make_error(redis_error_code(reply.text), "redis " + server_ + ": " + reply.text);
  }
  return {};
}

Result<std::unique_ptr<RedisConnection>> RedisConnection::open(const RedisOptions& options,
                                                               const std::atomic<bool>* stopping) {
  std::unique_ptr<RedisConnection> made(new RedisConnection(options.host + ":" + options.port, stopping));
  MR_TRY(made->connect(options));
  MR_TRY(made->log_in(options));
  return made;
}

Result<std::vector<RedisReply>> RedisConnection::pipeline(std::string_view commands, size_t replies) {
  std::vector<RedisReply> got;
  const int64_t deadline = resp_clock_ms() + kAnswerMs;
  std::string_view unread;
  while (got.size() < replies) {
    MR_TRY(wait(static_cast<short>(commands.empty() ? POLLIN : POLLIN | POLLOUT), deadline));
    if (!commands.empty()) {
      const ssize_t sent = ::send(fd_, commands.data(), commands.size(), MSG_NOSIGNAL);
      if (sent > 0) commands.remove_prefix(static_cast<size_t>(sent));
      if (sent < 0 && errno != EAGAIN && errno != EINTR) return lost(std::strerror(errno));
    }
    char piece[1 << 16];
    const ssize_t read = ::recv(fd_, piece, sizeof piece, 0);
    if (read == 0) return lost("the server closed the connection");
    if (read < 0 && errno != EAGAIN && errno != EINTR) return lost(std::strerror(errno));
    if (read < 0) continue;
    received_.append(piece, static_cast<size_t>(read));
    unread = received_;
    while (got.size() < replies) {
      MR_ASSIGN(std::optional<RedisReply> reply, take_redis_reply(unread));
      if (!reply) break;
      got.push_back(std::move(*reply));
    }
    received_.erase(0, received_.size() - unread.size());
  }
  return got;
}

}  // namespace millrace
