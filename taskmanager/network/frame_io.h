// Sockets that carry frames, and the one io thread that serves them all. The io thread never blocks: reading stops for
// nobody (credits bound what arrives), writing is queued. Everything that is called back is called on the io thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "core/status.h"
#include "taskmanager/network/frame.h"

namespace millrace {

/// What a connection reports; io thread.
class FrameReceiver {
 public:
  virtual ~FrameReceiver() = default;
  /// An error drops the connection.
  virtual Status received(InFrame frame) = 0;
  /// Once; nothing is received afterwards.
  virtual void closed(const std::string& why) = 0;
};

class FrameConnection {
 public:
  virtual ~FrameConnection() = default;
  /// Any thread, does not wait; dropped once the connection is closed.
  virtual void send(OutFrame frame) = 0;
  [[nodiscard]] virtual bool loopback() const = 0;
  /// "10.0.0.7:41234".
  [[nodiscard]] virtual const std::string& remote() const = 0;
  // Io thread.
  virtual void start(std::shared_ptr<FrameReceiver> receiver) = 0;
  /// The receiver is told, unless the connection was closed before.
  virtual void close(const std::string& why) = 0;
};
using FrameConnectionPtr = std::shared_ptr<FrameConnection>;

struct FrameTraffic {
  uint64_t sent_bytes = 0;
  uint64_t received_bytes = 0;
};

class FrameIo {
 public:
  /// Listens on address and port (0: any free one).
  static Result<std::unique_ptr<FrameIo>> listen(const std::string& bind, uint16_t port);
  /// Starts the thread. `accepted` gets connections that are not started.
  void start(std::function<void(FrameConnectionPtr)> accepted);
  /// Closes all connections and ends the thread.
  ~FrameIo();
  FrameIo(const FrameIo&) = delete;
  FrameIo& operator=(const FrameIo&) = delete;

  [[nodiscard]] uint16_t port() const;
  /// Any thread.
  void post(std::function<void()> work);
  /// Any thread; posts and waits for it. Not from the io thread.
  void run(std::function<void()> work);
  [[nodiscard]] FrameTraffic traffic() const;
  // Io thread.
  void after(int64_t ms, std::function<void()> work);
  using Dialed = std::function<void(Result<FrameConnectionPtr>)>;
  /// One try to reach "host:port", given up after `timeout_ms`.
  void dial(const std::string& address, int64_t timeout_ms, Dialed done);

 private:
  struct Impl;
  explicit FrameIo(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace
