#include "http/server.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <cctype>
#include <chrono>
#include <exception>
#include <optional>
#include <thread>

#include "core/log.h"

namespace millrace {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace bhttp = boost::beast::http;
using tcp = asio::ip::tcp;

constexpr uint32_t kHeaderBytesMax = 16 * 1024;
constexpr std::chrono::seconds kDrainTime{2};
constexpr std::chrono::milliseconds kAcceptPause{100};
constexpr std::chrono::milliseconds kStreamPoll{200};
constexpr int kIdlePollsMax = 50;

/// What all connections of a server share; lives on the server's thread.
struct Shared {
  HttpServerOptions options;
  HttpServer::Handler handler;
  size_t connections = 0;
};

HttpRequest from_beast(const bhttp::request<bhttp::string_body>& message, bool& ok) {
  HttpRequest request;
  request.method = std::string(message.method_string());
  const auto target = message.target();
  ok = parse_target(std::string_view(target.data(), target.size()), request.path, request.query);
  for (const auto& field : message) {
    std::string name(field.name_string());
    for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    request.headers[std::move(name)] = std::string(field.value());
  }
  request.body = message.body();
  return request;
}

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(tcp::socket socket, Shared& shared) : stream_(std::move(socket)), shared_(shared) {
    ++shared_.connections;
  }
  ~Connection() { --shared_.connections; }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void read() {
    parser_.emplace();
    parser_->header_limit(kHeaderBytesMax);
    parser_->body_limit(shared_.options.body_bytes_max);
    stream_.expires_after(std::chrono::milliseconds(shared_.options.idle_timeout_ms));
    bhttp::async_read(stream_, buffer_, *parser_,
                      [self = shared_from_this()](beast::error_code error, size_t) { self->on_read(error); });
  }

 private:
  void on_read(beast::error_code error) {
    if (error == bhttp::error::body_limit) return respond_error(413, "the body is larger than this server accepts");
    if (error == bhttp::error::header_limit)
      return respond_error(431, "the headers are larger than this server accepts");
    if (error == bhttp::error::end_of_stream || error == beast::error::timeout || error == asio::error::eof) return;
    if (error == asio::error::operation_aborted || error == asio::error::connection_reset) return;
    if (error) return respond_error(400, "the request is not understood");
    bool ok = true;
    const HttpRequest request = from_beast(parser_->get(), ok);
    if (!ok) return respond_error(400, "the request target is not understood");
    keep_alive_ = parser_->get().keep_alive();
    version_ = parser_->get().version();
    head_ = request.method == "HEAD";
    respond(answer(request));
  }

  HttpResponse answer(const HttpRequest& request) {
    try {
      return shared_.handler(request);
    } catch (const std::exception& error) {  // a library threw through a handler: this request fails, not the server
      log_error("a request failed", {{"method", request.method}, {"path", request.path}, {"error", error.what()}});
      return {500, "application/json", "{\"errors\":[\"internal error\"]}"};
    }
  }

  void respond_error(int status, const std::string& message) {
    keep_alive_ = false;
    respond({status, "application/json", "{\"errors\":[\"" + message + "\"]}"});
  }

  void respond(HttpResponse response) {
    if (response.more && !head_) return begin_stream(std::move(response));
    message_.emplace(static_cast<bhttp::status>(response.status), version_);
    message_->set(bhttp::field::content_type, response.content_type);
    message_->keep_alive(keep_alive_);
    const size_t size = response.body.size();
    if (!head_) message_->body() = std::move(response.body);
    message_->content_length(size);
    stream_.expires_after(std::chrono::milliseconds(shared_.options.idle_timeout_ms));
    bhttp::async_write(stream_, *message_, [self = shared_from_this()](beast::error_code error, size_t) {
      if (error) return;
      if (self->keep_alive_) return self->read();
      beast::error_code ignored;
      self->stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
      self->stream_.expires_after(kDrainTime);
      self->drain();
    });
  }

  void begin_stream(HttpResponse response) {
    more_ = std::move(response.more);
    text_ = "HTTP/1.1 " + std::to_string(response.status) + " OK\r\nContent-Type: " + response.content_type +
            "\r\nCache-Control: no-cache\r\nConnection: close\r\n\r\n" + response.body;
    timer_.emplace(stream_.get_executor());
    stream_.expires_never();
    watch_client();
    send_text();
  }

  void send_text() {
    idle_polls_ = 0;
    asio::async_write(stream_.socket(), asio::buffer(text_),
                      [self = shared_from_this()](beast::error_code error, size_t) {
                        if (!error) self->poll_later();
                      });
  }

  void poll_later() {
    timer_->expires_after(kStreamPoll);
    timer_->async_wait([self = shared_from_this()](beast::error_code stopped) {
      if (!stopped) self->poll();
    });
  }

  void poll() {
    std::optional<std::string> text = next_of_stream();
    beast::error_code ignored;
    if (!text) {
      stream_.socket().shutdown(tcp::socket::shutdown_both, ignored);
      return;
    }
    if (text->empty() && ++idle_polls_ < kIdlePollsMax) return poll_later();
    text_ = text->empty() ? ":\n\n" : std::move(*text);
    send_text();
  }

  std::optional<std::string> next_of_stream() {
    try {
      return more_();
    } catch (const std::exception& error) {
      log_error("a stream failed", {{"error", error.what()}});
      return std::nullopt;
    }
  }

  /// A client that goes away ends the stream at once.
  void watch_client() {
    buffer_.clear();
    stream_.socket().async_read_some(buffer_.prepare(1024),
                                     [self = shared_from_this()](beast::error_code error, size_t) {
                                       if (!error) return self->watch_client();
                                       self->timer_->cancel();
                                       beast::error_code ignored;
                                       self->stream_.socket().close(ignored);
                                     });
  }

  /// Reads what the client still sends before closing: a close with unread bytes resets the connection, and the client
  /// would lose the answer (a 413 in the middle of its upload).
  void drain() {
    buffer_.clear();
    stream_.async_read_some(buffer_.prepare(16 * 1024), [self = shared_from_this()](beast::error_code error, size_t) {
      if (!error) self->drain();
    });
  }

  beast::tcp_stream stream_;
  Shared& shared_;
  beast::flat_buffer buffer_;
  std::optional<bhttp::request_parser<bhttp::string_body>> parser_;
  std::optional<bhttp::response<bhttp::string_body>> message_;
  // Of a stream.
  std::function<std::optional<std::string>()> more_;
  std::optional<asio::steady_timer> timer_;
  std::string text_;  // being sent
  int idle_polls_ = 0;
  bool keep_alive_ = false;
  bool head_ = false;
  unsigned version_ = 11;
};

}  // namespace

struct HttpServer::Impl {
  Shared shared;  // before `io`: pending handlers hold connections that refer to it
  asio::io_context io{1};
  tcp::acceptor acceptor{io};
  asio::steady_timer pause{io};
  std::thread thread;
  uint16_t port = 0;

  Status bind() {
    beast::error_code error;
    const auto address = asio::ip::make_address(shared.options.address, error);
    if (error) return make_error(ErrorCode::kBadValue, "`" + shared.options.address + "` is not an IP address");
    const int tries = shared.options.next_free && shared.options.port != 0 ? 100 : 1;
    for (int i = 0; i < tries; ++i) {
      const tcp::endpoint endpoint(address, static_cast<uint16_t>(shared.options.port + i));
      acceptor.open(endpoint.protocol(), error);
      if (!error) acceptor.set_option(asio::socket_base::reuse_address(true), error);
      if (!error) acceptor.bind(endpoint, error);
      if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
      if (!error) {
        port = acceptor.local_endpoint().port();
        return {};
      }
      acceptor.close();
    }
    return make_error(ErrorCode::kIo,
                      "cannot listen on " + shared.options.address + ":" + std::to_string(shared.options.port) + ": " +
                          error.message(),
                      "choose another port with --listen, or 0 for any");
  }

  void accept() {
    acceptor.async_accept([this](beast::error_code error, tcp::socket socket) {
      if (error == asio::error::operation_aborted) return;
      if (!error && shared.connections < shared.options.connections_max) {
        beast::error_code ignored;
        socket.set_option(tcp::no_delay(true), ignored);
        std::make_shared<Connection>(std::move(socket), shared)->read();
      }
      if (!error) return accept();
      pause.expires_after(kAcceptPause);  // out of descriptors: trying at once again would only burn the processor
      pause.async_wait([this](beast::error_code stopped) {
        if (!stopped) accept();
      });
    });
  }
};

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Result<std::unique_ptr<HttpServer>> HttpServer::start(const HttpServerOptions& options, Handler handler) {
  auto impl = std::make_unique<Impl>();
  impl->shared.options = options;
  impl->shared.handler = std::move(handler);
  MR_TRY(impl->bind());
  impl->accept();
  impl->thread = std::thread([raw = impl.get()] { raw->io.run(); });
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

HttpServer::~HttpServer() {
  impl_->io.stop();
  impl_->thread.join();
}

uint16_t HttpServer::port() const { return impl_->port; }

std::string HttpServer::address() const {
  const std::string& host = impl_->shared.options.address;
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(impl_->port);
}

}  // namespace millrace
