// Framed TCP for control messages: a magic word, then frames of a 4-byte little-endian length and that many bytes. An
// empty frame is a sign of life, sent whenever nothing else was for a fifth of the silence allowed; a peer that is
// silent for longer counts as gone. Each server or client has one thread of its own on which all its callbacks run, so
// neither long disk writes nor busy workers look like a dead process. send() comes from any thread and never waits.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "core/status.h"

namespace millrace {

struct FrameOptions {
  int64_t silence_ms = 5'000;
  size_t frame_bytes_max = 256 << 20;
  size_t connections_max = 1'024;  // of a server
  int64_t reconnect_min_ms = 50;   // of a client: the pause between attempts doubles up to the greater one
  int64_t reconnect_max_ms = 1'000;
};

/// Number of a connection; never used twice by one server.
using ConnectionId = uint64_t;

class FrameServer {
 public:
  struct Events {
    std::function<void(ConnectionId, const std::string& peer)> opened;  // "10.0.0.3:41234"
    std::function<void(ConnectionId, std::string_view frame)> received;
    /// Once for every opened(), also after close().
    std::function<void(ConnectionId, const std::string& reason)> closed;
  };
  /// Port 0: any free one. kUnreachable when the address cannot be listened on. Nothing is accepted before start().
  static Result<std::unique_ptr<FrameServer>> listen(const std::string& host, uint16_t port, FrameOptions options,
                                                     Events events);
  /// Callbacks may come from now on: whoever they use the server through must have it by then.
  void start();
  /// No callback runs any more when it returns.
  ~FrameServer();
  FrameServer(const FrameServer&) = delete;
  FrameServer& operator=(const FrameServer&) = delete;

  /// Dropped when the connection is gone.
  void send(ConnectionId connection, std::string frame);
  /// Behind what was sent before.
  void close(ConnectionId connection, std::string reason);
  [[nodiscard]] uint16_t port() const;

 private:
  struct Impl;
  explicit FrameServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

class FrameClient {
 public:
  struct Events {
    std::function<void()> opened;
    std::function<void(std::string_view frame)> received;
    std::function<void(const std::string& reason)> closed;  // once for every opened()
    std::function<void(const std::string& reason)> failed;  // an attempt to connect; the next one follows by itself
  };
  FrameClient(std::string host, uint16_t port, FrameOptions options, Events events);
  ~FrameClient();
  /// Connects, and connects again after every loss. Callbacks may come from now on: whoever they use the client through
  /// must have it by then.
  void start();
  FrameClient(const FrameClient&) = delete;
  FrameClient& operator=(const FrameClient&) = delete;

  /// Dropped while there is no connection.
  void send(std::string frame);
  /// No callback runs any more when it returns; what is sent later is dropped.
  void stop();
  /// Closes the connection, behind what was sent before; the next attempt follows by itself.
  void drop(std::string reason);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace
