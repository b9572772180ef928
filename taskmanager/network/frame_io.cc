#include "taskmanager/network/frame_io.h"

#include <netinet/tcp.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <deque>
#include <future>
#include <mutex>
#include <thread>

namespace millrace {

namespace {

namespace data_asio = boost::asio;
using DataTcp = data_asio::ip::tcp;
using DataIoError = boost::system::error_code;

constexpr size_t kReadChunkBytes = 16 * 1024;
constexpr size_t kFramesPerWrite = 32;
constexpr size_t kBytesPerCall = 1 << 20;

struct TrafficCounters {
  std::atomic<uint64_t> sent{0};
  std::atomic<uint64_t> received{0};
};

std::string reason(DataIoError error) {
  return error == data_asio::error::eof ? "it was closed by the other side" : error.message();
}

class TcpFrames final : public FrameConnection, public std::enable_shared_from_this<TcpFrames> {
 public:
  TcpFrames(data_asio::io_context& io, DataTcp::socket socket, TrafficCounters& traffic)
      : io_(io), socket_(std::move(socket)), traffic_(traffic) {
    DataIoError error;
    socket_.non_blocking(true, error);
    socket_.set_option(DataTcp::no_delay(true), error);
    socket_.set_option(data_asio::socket_base::keep_alive(true), error);
    // A machine that vanished without a word is noticed within half a minute, idle or not.
    set_tcp_option(TCP_KEEPIDLE, 10);
    set_tcp_option(TCP_KEEPINTVL, 5);
    set_tcp_option(TCP_KEEPCNT, 3);
    set_tcp_option(TCP_USER_TIMEOUT, 30'000);
    const DataTcp::endpoint far = socket_.remote_endpoint(error);
    // A host that reaches itself by its own address stays inside the machine as well.
    loopback_ = far.address().is_loopback() || far.address() == socket_.local_endpoint(error).address();
    const std::string host = far.address().to_string();
    remote_ = (far.address().is_v6() ? "[" + host + "]" : host) + ":" + std::to_string(far.port());
  }

  void send(OutFrame frame) override {
    {
      const std::lock_guard lock(mutex_);
      if (closed_) return;
      outgoing_.push_back(std::move(frame));
      if (writing_) return;
      writing_ = true;
    }
    data_asio::post(io_, [self = shared_from_this()] { self->write(); });
  }
  [[nodiscard]] bool loopback() const override { return loopback_; }
  [[nodiscard]] const std::string& remote() const override { return remote_; }

  void start(std::shared_ptr<FrameReceiver> receiver) override {
    receiver_ = std::move(receiver);
    read();
  }

  void close(const std::string& why) override {
    {
      const std::lock_guard lock(mutex_);
      if (closed_) return;
      closed_ = true;
    }
    DataIoError ignored;
    // The last word, such as the hello to somebody who is refused, if the socket takes it at once.
    if (written_.empty() && fill_written()) socket_.write_some(buffers(), ignored);
    outgoing_.clear();
    socket_.shutdown(DataTcp::socket::shutdown_both, ignored);
    socket_.close(ignored);
    if (const auto receiver = std::exchange(receiver_, nullptr)) receiver->closed(why);
  }

 private:
  void set_tcp_option(int option, int value) {
    ::setsockopt(socket_.native_handle(), IPPROTO_TCP, option, &value, sizeof value);
  }

  /// The next frames to write; false: there are none, and the next send() has to start writing again.
  bool fill_written() {
    const std::lock_guard lock(mutex_);
    const size_t count = std::min(outgoing_.size(), kFramesPerWrite);
    for (size_t i = 0; i < count; ++i) {
      written_.push_back(std::move(outgoing_.front()));
      outgoing_.pop_front();
    }
    writing_ = count > 0;
    return writing_;
  }

  [[nodiscard]] std::vector<data_asio::const_buffer> buffers() const {
    std::vector<data_asio::const_buffer> all;
    for (const OutFrame& frame : written_) {
      all.emplace_back(frame.header.data(), frame.header.size());
      if (!frame.body.empty()) all.emplace_back(frame.body.data(), frame.body.size());
    }
    return all;
  }

  void write() {
    written_.clear();
    if (!fill_written()) return;
    // Asio would hand over 64 KiB at a time: half a batch.
    const auto all = [](DataIoError error, size_t) -> size_t { return error ? 0 : kBytesPerCall; };
    data_asio::async_write(socket_, buffers(), all, [self = shared_from_this()](DataIoError error, size_t bytes) {
      self->traffic_.sent.fetch_add(bytes, std::memory_order_relaxed);
      if (error) return self->close(reason(error));
      self->write();
    });
  }

  /// The rest of a body goes where it belongs, what follows it into the chunk: one system call for both.
  void read() {
    const size_t wanted = reading_body_ ? frame_.header.body_bytes - body_bytes_ : 0;
    const std::array<data_asio::mutable_buffer, 2> buffers{
        data_asio::mutable_buffer(reading_body_ ? frame_.bytes.get() + body_bytes_ : nullptr, wanted),
        data_asio::mutable_buffer(chunk_.data() + chunk_end_, chunk_.size() - chunk_end_)};
    socket_.async_read_some(buffers, [self = shared_from_this()](DataIoError error, size_t bytes) {
      self->traffic_.received.fetch_add(bytes, std::memory_order_relaxed);
      if (error) return self->close(reason(error));
      if (Status status = self->take(bytes); !status) return self->close(status.error().message);
      if (self->receiver_) self->read();
    });
  }

  Status take(size_t bytes) {
    if (reading_body_) {
      const size_t of_body = std::min(bytes, frame_.header.body_bytes - body_bytes_);
      body_bytes_ += of_body;
      bytes -= of_body;
      MR_TRY(deliver_when_whole());
    }
    chunk_end_ += bytes;
    size_t begin = 0;
    while (receiver_ && !reading_body_ && chunk_end_ - begin >= kFrameHeaderBytes) {
      MR_ASSIGN(frame_.header, decode_frame_header({chunk_.data() + begin, kFrameHeaderBytes}));
      begin += kFrameHeaderBytes;
      if (!greeted_ && frame_.header.type != FrameType::kHello) return not_a_peer();
      greeted_ = true;
      frame_.bytes = std::make_unique_for_overwrite<char[]>(frame_.header.body_bytes);
      body_bytes_ = std::min<size_t>(frame_.header.body_bytes, chunk_end_ - begin);
      std::memcpy(frame_.bytes.get(), chunk_.data() + begin, body_bytes_);
      begin += body_bytes_;
      reading_body_ = true;
      MR_TRY(deliver_when_whole());
    }
    std::memmove(chunk_.data(), chunk_.data() + begin, chunk_end_ - begin);
    chunk_end_ -= begin;
    return {};
  }

  Status deliver_when_whole() {
    if (body_bytes_ < frame_.header.body_bytes) return {};
    reading_body_ = false;
    if (!receiver_) return {};
    const auto receiver = receiver_;  // may be dropped while it is told
    return receiver->received(std::move(frame_));
  }

  static Status not_a_peer() { return make_error(ErrorCode::kBadMessage, "it did not begin with a hello"); }

  data_asio::io_context& io_;
  DataTcp::socket socket_;
  TrafficCounters& traffic_;
  std::string remote_;
  bool loopback_ = false;
  std::shared_ptr<FrameReceiver> receiver_;  // null once closed
  // Reading.
  std::array<char, kReadChunkBytes> chunk_;
  size_t chunk_end_ = 0;
  InFrame frame_;
  size_t body_bytes_ = 0;  // of frame_, so far
  bool reading_body_ = false;
  bool greeted_ = false;
  // Writing.
  std::vector<OutFrame> written_;
  std::mutex mutex_;
  std::deque<OutFrame> outgoing_;
  bool writing_ = false;  // write() runs or is due
  bool closed_ = false;
};

/// One try to connect, under a timer.
class TcpDial final : public std::enable_shared_from_this<TcpDial> {
 public:
  TcpDial(data_asio::io_context& io, TrafficCounters& traffic, FrameIo::Dialed done)
      : io_(io), resolver_(io), socket_(io), timer_(io), traffic_(traffic), done_(std::move(done)) {}

  void start(const std::string& address, int64_t timeout_ms) {
    const size_t colon = address.rfind(':');
    std::string host = address.substr(0, colon);
    if (colon == std::string::npos || host.empty()) return finish("`" + address + "` is not an address");
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    timer_.expires_after(std::chrono::milliseconds(timeout_ms));
    timer_.async_wait([self = shared_from_this()](DataIoError error) {
      if (!error) self->finish("it does not answer");
    });
    resolver_.async_resolve(
        host, address.substr(colon + 1), [self = shared_from_this()](DataIoError error, auto found) {
          if (error) return self->finish(error.message());
          if (!self->done_) return;
          data_asio::async_connect(self->socket_, found, [self](DataIoError failed, const DataTcp::endpoint&) {
            if (failed) return self->finish(failed.message());
            self->finish("");
          });
        });
  }

 private:
  void finish(const std::string& failure) {
    const auto done = std::exchange(done_, nullptr);
    if (!done) return;
    timer_.cancel();
    if (failure.empty()) return done(std::make_shared<TcpFrames>(io_, std::move(socket_), traffic_));
    DataIoError ignored;
    resolver_.cancel();
    socket_.close(ignored);
    done(make_error(ErrorCode::kUnreachable, failure));
  }

  data_asio::io_context& io_;
  DataTcp::resolver resolver_;
  DataTcp::socket socket_;
  data_asio::steady_timer timer_;
  TrafficCounters& traffic_;
  FrameIo::Dialed done_;
};

}  // namespace

struct FrameIo::Impl {
  Status listen(const std::string& bind, uint16_t port) {
    DataIoError error;
    const auto address = data_asio::ip::make_address(bind, error);
    if (error) return make_error(ErrorCode::kBadValue, "`" + bind + "` is not an IP address to listen on");
    const DataTcp::endpoint endpoint(address, port);
    acceptor.open(endpoint.protocol(), error);
    if (!error) acceptor.set_option(DataTcp::acceptor::reuse_address(true), error);
    if (!error) acceptor.bind(endpoint, error);
    if (!error) acceptor.listen(data_asio::socket_base::max_listen_connections, error);
    if (error) {
      return make_error(ErrorCode::kIo,
                        "cannot listen on " + bind + ":" + std::to_string(port) + " for data: " + error.message());
    }
    bound_port = acceptor.local_endpoint(error).port();
    return {};
  }

  void accept() {
    acceptor.async_accept([this](DataIoError error, DataTcp::socket socket) {
      if (error == data_asio::error::operation_aborted) return;
      if (error) {  // out of descriptors: later again, without spinning
        retry.expires_after(std::chrono::milliseconds(100));
        retry.async_wait([this](DataIoError) { accept(); });
        return;
      }
      keep(std::make_shared<TcpFrames>(io, std::move(socket), traffic));
      accept();
    });
  }
  void keep(const std::shared_ptr<TcpFrames>& connection) {
    track(connection);
    accepted(connection);
  }
  void track(const FrameConnectionPtr& connection) {
    std::erase_if(connections, [](const auto& one) { return one.expired(); });
    connections.push_back(connection);
  }

  std::function<void(FrameConnectionPtr)> accepted;
  TrafficCounters traffic;
  data_asio::io_context io{1};
  data_asio::executor_work_guard<data_asio::io_context::executor_type> work{io.get_executor()};
  DataTcp::acceptor acceptor{io};
  data_asio::steady_timer retry{io};
  std::vector<std::weak_ptr<FrameConnection>> connections;
  uint16_t bound_port = 0;
  std::thread thread;
};

FrameIo::FrameIo(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Result<std::unique_ptr<FrameIo>> FrameIo::listen(const std::string& bind, uint16_t port) {
  auto impl = std::make_unique<Impl>();
  MR_TRY(impl->listen(bind, port));
  return std::unique_ptr<FrameIo>(new FrameIo(std::move(impl)));
}

void FrameIo::start(std::function<void(FrameConnectionPtr)> accepted) {
  impl_->accepted = std::move(accepted);
  impl_->accept();
  impl_->thread = std::thread([this] { impl_->io.run(); });
}

FrameIo::~FrameIo() {
  if (!impl_->thread.joinable()) return;
  run([this] {
    DataIoError ignored;
    impl_->acceptor.close(ignored);
    for (const auto& weak : impl_->connections) {
      if (const auto connection = weak.lock()) connection->close("this task manager ends");
    }
  });
  impl_->io.stop();
  impl_->thread.join();
}

uint16_t FrameIo::port() const { return impl_->bound_port; }

void FrameIo::post(std::function<void()> work) { data_asio::post(impl_->io, std::move(work)); }

void FrameIo::run(std::function<void()> work) {
  std::promise<void> done;
  post([&] {
    work();
    done.set_value();
  });
  done.get_future().wait();
}

FrameTraffic FrameIo::traffic() const {
  return {impl_->traffic.sent.load(std::memory_order_relaxed), impl_->traffic.received.load(std::memory_order_relaxed)};
}

void FrameIo::after(int64_t ms, std::function<void()> work) {
  auto timer = std::make_shared<data_asio::steady_timer>(impl_->io, std::chrono::milliseconds(ms));
  timer->async_wait([timer, done = std::move(work)](DataIoError error) {
    if (!error) done();
  });
}

void FrameIo::dial(const std::string& address, int64_t timeout_ms, Dialed done) {
  const auto dial = std::make_shared<TcpDial>(impl_->io, impl_->traffic,
                                              [this, tell = std::move(done)](Result<FrameConnectionPtr> dialed) {
                                                if (dialed) impl_->track(*dialed);
                                                tell(std::move(dialed));
                                              });
  dial->start(address, timeout_ms);
}

}  // namespace millrace
