#include "rpc/frames.h"

#include <algorithm>
#include <boost/asio/connect.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <cstring>
#include <deque>
#include <map>
#include <thread>

#include "core/bytes.h"

namespace millrace {

namespace {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;
using ErrorCodeOfAsio = boost::system::error_code;

constexpr std::chrono::milliseconds kAcceptPause{100};
constexpr std::string_view kMagic = "MRR1";

int64_t steady_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

std::string with_length(const std::string& frame) {
  ByteWriter out;
  out.put(static_cast<uint32_t>(frame.size()));
  out.put_raw(frame);
  return out.take();
}

/// One connected socket; lives on the thread of its io_context.
class FramedSocket : public std::enable_shared_from_this<FramedSocket> {
 public:
  struct Events {
    std::function<void(std::string_view)> received;
    std::function<void(const std::string&)> closed;  // exactly once
  };
  FramedSocket(boost::asio::ip::tcp::socket socket, FrameOptions options, Events events);

  void start();
  void send(std::string frame);
  /// Closes behind what waits to be written.
  void close_after_writes(std::string reason);
  /// At once.
  void close(const std::string& reason);

 private:
  void read_magic();
  void read_length();
  void read_body(uint32_t size);
  void write_next();
  void tick();

  boost::asio::ip::tcp::socket socket_;
  boost::asio::steady_timer timer_;
  FrameOptions options_;
  Events events_;
  std::string body_;
  char head_[4] = {};
  std::deque<std::string> queue_;  // with their lengths in front
  bool writing_ = false;
  bool closed_ = false;
  std::string closing_;
  int64_t heard_ms_ = 0;
  int64_t spoke_ms_ = 0;
};

FramedSocket::FramedSocket(asio::ip::tcp::socket socket, FrameOptions options, Events events)
    : socket_(std::move(socket)), timer_(socket_.get_executor()), options_(options), events_(std::move(events)) {}

void FramedSocket::start() {
  ErrorCodeOfAsio ignored;
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
  heard_ms_ = spoke_ms_ = steady_ms();
  queue_.emplace_back(kMagic);
  write_next();
  read_magic();
  tick();
}

void FramedSocket::read_magic() {
  asio::async_read(socket_, asio::buffer(head_), [self = shared_from_this()](ErrorCodeOfAsio error, size_t) {
    if (error) return self->close(error.message());
    if (std::string_view(self->head_, sizeof self->head_) != kMagic) {
      return self->close("the peer does not speak Millrace's control protocol");
    }
    self->read_length();
  });
}

void FramedSocket::read_length() {
  asio::async_read(socket_, asio::buffer(head_), [self = shared_from_this()](ErrorCodeOfAsio error, size_t) {
    if (error) return self->close(error == asio::error::eof ? "closed by the peer" : error.message());
    uint32_t size = 0;
    std::memcpy(&size, self->head_, sizeof size);
    self->heard_ms_ = steady_ms();
    if (size > self->options_.frame_bytes_max) return self->close("a frame is larger than allowed");
    if (size == 0) return self->read_length();
    self->read_body(size);
  });
}

void FramedSocket::read_body(uint32_t size) {
  body_.resize(size);
  asio::async_read(socket_, asio::buffer(body_), [self = shared_from_this()](ErrorCodeOfAsio error, size_t) {
    if (error) return self->close(error == asio::error::eof ? "closed by the peer" : error.message());
    self->heard_ms_ = steady_ms();
    if (self->closed_ || !self->closing_.empty()) return;
    self->events_.received(self->body_);
    if (!self->closed_) self->read_length();
  });
}

void FramedSocket::send(std::string frame) {
  if (closed_ || !closing_.empty()) return;
  queue_.push_back(with_length(frame));
  write_next();
}

void FramedSocket::write_next() {
  if (writing_ || closed_) return;
  if (queue_.empty()) {
    if (!closing_.empty()) close(closing_);
    return;
  }
  writing_ = true;
  spoke_ms_ = steady_ms();
  asio::async_write(socket_, asio::buffer(queue_.front()), [self = shared_from_this()](ErrorCodeOfAsio error, size_t) {
    if (error) return self->close(error.message());
    self->queue_.pop_front();
    self->writing_ = false;
    self->write_next();
  });
}

void FramedSocket::tick() {
  const int64_t period = std::max<int64_t>(1, options_.silence_ms / 5);
  timer_.expires_after(std::chrono::milliseconds(period));
  timer_.async_wait([self = shared_from_this(), period](ErrorCodeOfAsio error) {
    if (error || self->closed_) return;
    const int64_t now = steady_ms();
    if (now - self->heard_ms_ > self->options_.silence_ms) {
      return self->close("silent for " + std::to_string(now - self->heard_ms_) + " ms");
    }
    if (self->closing_.empty() && !self->writing_ && now - self->spoke_ms_ >= period) self->send({});
    self->tick();
  });
}

void FramedSocket::close_after_writes(std::string reason) {
  if (closed_ || !closing_.empty()) return;
  closing_ = std::move(reason);
  write_next();
}

void FramedSocket::close(const std::string& reason) {
  if (closed_) return;
  closed_ = true;
  const auto self = shared_from_this();  // the callback may drop the last owner
  ErrorCodeOfAsio ignored;
  timer_.cancel();
  socket_.shutdown(asio::ip::tcp::socket::shutdown_both, ignored);
  socket_.close(ignored);
  events_.closed(closing_.empty() ? reason : closing_);
}

std::string peer_text(const tcp::socket& socket) {
  ErrorCodeOfAsio error;
  const tcp::endpoint peer = socket.remote_endpoint(error);
  if (error) return "?";
  const std::string host = peer.address().to_string();
  return (peer.address().is_v6() ? "[" + host + "]" : host) + ":" + std::to_string(peer.port());
}

/// An io_context with its thread.
struct IoThread {
  asio::io_context io;
  asio::executor_work_guard<asio::io_context::executor_type> work{io.get_executor()};
  std::thread thread;
  void start() {
    thread = std::thread([this] { io.run(); });
  }
  /// Pending handlers are dropped without being called.
  void stop() {
    io.stop();
    if (thread.joinable()) thread.join();
  }
};

}  // namespace

struct FrameServer::Impl {
  Impl(FrameOptions o, Events e) : options(o), events(std::move(e)) {}

  Status listen(const std::string& host, uint16_t port) {
    ErrorCodeOfAsio error;
    tcp::resolver resolver(thread.io);
    const auto found = resolver.resolve(host, std::to_string(port), tcp::resolver::passive, error);
    if (error || found.empty()) {
      return make_error(ErrorCode::kUnreachable, "cannot listen on " + host + ": " + error.message());
    }
    const tcp::endpoint endpoint = found.begin()->endpoint();
    acceptor.open(endpoint.protocol(), error);
    if (!error) acceptor.set_option(asio::socket_base::reuse_address(true), error);
    if (!error) acceptor.bind(endpoint, error);
    if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
    if (!error) return {};
    return make_error(ErrorCode::kUnreachable,
                      "cannot listen on " + host + ":" + std::to_string(port) + ": " + error.message(),
                      "choose another port, or end the process that holds this one");
  }

  void accept() {
    acceptor.async_accept([this](ErrorCodeOfAsio error, tcp::socket socket) {
      if (error == asio::error::operation_aborted) return;
      if (error) {  // out of descriptors, for example: goes on later
        pause.expires_after(kAcceptPause);
        pause.async_wait([this](ErrorCodeOfAsio cancelled) {
          if (!cancelled) accept();
        });
        return;
      }
      if (sockets.size() < options.connections_max) open(std::move(socket));
      accept();
    });
  }

  void open(tcp::socket socket) {
    const ConnectionId id = ++last_id;
    const std::string peer = peer_text(socket);
    auto framed = std::make_shared<FramedSocket>(
        std::move(socket), options,
        FramedSocket::Events{.received = [this, id](std::string_view frame) { events.received(id, frame); },
                             .closed =
                                 [this, id](const std::string& reason) {
                                   sockets.erase(id);
                                   events.closed(id, reason);
                                 }});
    sockets[id] = framed;
    events.opened(id, peer);
    framed->start();
  }

  FrameOptions options;
  Events events;
  IoThread thread;
  tcp::acceptor acceptor{thread.io};
  asio::steady_timer pause{thread.io};
  std::map<ConnectionId, std::shared_ptr<FramedSocket>> sockets;
  ConnectionId last_id = 0;
};

FrameServer::FrameServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

FrameServer::~FrameServer() { impl_->thread.stop(); }

Result<std::unique_ptr<FrameServer>> FrameServer::listen(const std::string& host, uint16_t port, FrameOptions options,
                                                         Events events) {
  auto impl = std::make_unique<Impl>(options, std::move(events));
  MR_TRY(impl->listen(host, port));
  return std::unique_ptr<FrameServer>(new FrameServer(std::move(impl)));
}

void FrameServer::start() {
  impl_->accept();
  impl_->thread.start();
}

void FrameServer::send(ConnectionId connection, std::string frame) {
  asio::post(impl_->thread.io, [impl = impl_.get(), connection, frame = std::move(frame)]() mutable {
    const auto found = impl->sockets.find(connection);
    if (found != impl->sockets.end()) found->second->send(std::move(frame));
  });
}

void FrameServer::close(ConnectionId connection, std::string reason) {
  asio::post(impl_->thread.io, [impl = impl_.get(), connection, reason = std::move(reason)]() mutable {
    const auto found = impl->sockets.find(connection);
    if (found == impl->sockets.end()) return;
    const auto socket = found->second;
    socket->close_after_writes(std::move(reason));
  });
}

uint16_t FrameServer::port() const { return impl_->acceptor.local_endpoint().port(); }

struct FrameClient::Impl {
  Impl(std::string h, uint16_t p, FrameOptions o, Events e)
      : host(std::move(h)), port(p), options(o), events(std::move(e)), pause_ms(o.reconnect_min_ms) {}

  void connect() {
    resolver.async_resolve(host, std::to_string(port), [this](ErrorCodeOfAsio error, const auto& found) {
      if (error) return retry(error.message());
      socket = tcp::socket(thread.io);
      asio::async_connect(socket, found, [this](ErrorCodeOfAsio failed, const tcp::endpoint&) {
        connect_limit.cancel();
        if (failed) return retry(failed == asio::error::operation_aborted ? "timed out" : failed.message());
        open();
      });
      connect_limit.expires_after(std::chrono::milliseconds(options.silence_ms));
      connect_limit.async_wait([this](ErrorCodeOfAsio cancelled) {
        ErrorCodeOfAsio ignored;
        if (!cancelled) socket.close(ignored);
      });
    });
  }

  void open() {
    pause_ms = options.reconnect_min_ms;
    framed = std::make_shared<FramedSocket>(
        std::move(socket), options,
        FramedSocket::Events{.received = [this](std::string_view frame) { events.received(frame); },
                             .closed =
                                 [this](const std::string& reason) {
                                   framed.reset();
                                   events.closed(reason);
                                   connect_later();
                                 }});
    framed->start();
    events.opened();
  }

  void retry(const std::string& reason) {
    events.failed(reason);
    connect_later();
  }

  void connect_later() {
    pause.expires_after(std::chrono::milliseconds(pause_ms));
    pause_ms = std::min(pause_ms * 2, options.reconnect_max_ms);
    pause.async_wait([this](ErrorCodeOfAsio cancelled) {
      if (!cancelled) connect();
    });
  }

  std::string host;
  uint16_t port;
  FrameOptions options;
  Events events;
  int64_t pause_ms;
  IoThread thread;
  tcp::resolver resolver{thread.io};
  tcp::socket socket{thread.io};
  asio::steady_timer pause{thread.io};
  asio::steady_timer connect_limit{thread.io};
  std::shared_ptr<FramedSocket> framed;
};

FrameClient::FrameClient(std::string host, uint16_t port, FrameOptions options, Events events)
    : impl_(std::make_unique<Impl>(std::move(host), port, options, std::move(events))) {}

FrameClient::~FrameClient() { stop(); }

void FrameClient::stop() { impl_->thread.stop(); }

void FrameClient::start() {
  asio::post(impl_->thread.io, [impl = impl_.get()] { impl->connect(); });
  impl_->thread.start();
}

void FrameClient::send(std::string frame) {
  asio::post(impl_->thread.io, [impl = impl_.get(), frame = std::move(frame)]() mutable {
    if (impl->framed) impl->framed->send(std::move(frame));
  });
}

void FrameClient::drop(std::string reason) {
  asio::post(impl_->thread.io, [impl = impl_.get(), reason = std::move(reason)]() mutable {
    if (const auto framed = impl->framed) framed->close_after_writes(std::move(reason));
  });
}

}  // namespace millrace
