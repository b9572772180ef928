#include "http/client.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <cctype>
#include <chrono>
#include <optional>

namespace millrace {
namespace {

namespace client_asio = boost::asio;
namespace client_beast = boost::beast;
namespace client_http = boost::beast::http;
using ClientTcp = client_asio::ip::tcp;

struct CallAddress {
  std::string host;
  std::string port = "80";
  std::string base;  // path in front of every target, without a slash at its end
};

Result<CallAddress> split_call_address(std::string_view text) {
  const auto bad = [&](const char* why) {
    return make_error(ErrorCode::kBadValue, "`" + std::string(text) + "` is not an address: " + why,
                      "as in http://127.0.0.1:8081");
  };
  std::string_view rest = text;
  if (rest.starts_with("https://")) return bad("https is not supported");
  if (rest.starts_with("http://")) rest.remove_prefix(7);
  CallAddress address;
  const size_t slash = std::min(rest.find('/'), rest.size());
  address.base = rest.substr(slash);
  while (address.base.ends_with('/')) address.base.pop_back();
  std::string_view authority = rest.substr(0, slash);
  if (authority.starts_with('[')) {
    const size_t end = authority.find(']');
    if (end == std::string_view::npos) return bad("`]` is missing");
    address.host = authority.substr(1, end - 1);
    authority.remove_prefix(end + 1);
  } else {
    const size_t colon = std::min(authority.find(':'), authority.size());
    address.host = authority.substr(0, colon);
    authority.remove_prefix(colon);
  }
  if (address.host.empty()) return bad("the host is missing");
  if (authority.empty()) return address;
  address.port = authority.substr(1);
  const bool digits = !address.port.empty() && address.port.size() <= 5 &&
                      address.port.find_first_not_of("0123456789") == std::string::npos;
  if (authority.front() != ':' || !digits) return bad("the port is not a number");
  return address;
}

/// One request as a chain of callbacks, so that one timer covers resolving, connecting and both directions.
class ClientExchange {
 public:
  ClientExchange(const HttpCall& call, CallAddress address) : call_(call), address_(std::move(address)) {
    message_.method_string(call.method);
    message_.target(address_.base + (call.target.starts_with('/') ? "" : "/") + call.target);
    message_.version(11);
    message_.set(client_http::field::host, address_.host + ":" + address_.port);
    message_.set(client_http::field::connection, "close");
    message_.set(client_http::field::user_agent, "millrace");
    if (!call.body.empty()) message_.set(client_http::field::content_type, call.content_type);
    if (!call.bearer_token.empty()) {
      message_.set(client_http::field::authorization, "Bearer " + call.bearer_token);
    }
    message_.body() = call.body;
    message_.prepare_payload();
    parser_.body_limit(call.body_bytes_max);
    if (call.method == "HEAD") parser_.skip(true);
  }

  Result<HttpResponse> run() {
    resolver_.async_resolve(address_.host, address_.port, [this](client_beast::error_code error, auto results) {
      if (error) return fail(error);
      stream_.async_connect(results, [this](client_beast::error_code failed, const ClientTcp::endpoint&) {
        if (failed) return fail(failed);
        write();
      });
    });
    io_.run_for(std::chrono::milliseconds(call_.timeout_ms));
    if (!done_ && !error_) error_ = client_beast::error::timeout;
    if (error_) {
      return make_error(ErrorCode::kUnreachable, call_.address + " does not answer: " + error_.message(),
                        "is the server running there? another one: --address");
    }
    const auto& answer = parser_.get();
    HttpResponse response;
    response.status = static_cast<int>(answer.result_int());
    response.content_type = std::string(answer[client_http::field::content_type]);
    response.body = answer.body();
    return response;
  }

 private:
  void write() {
    client_http::async_write(stream_, message_, [this](client_beast::error_code error, size_t) {
      // A server that refuses a large body answers and stops reading: its answer is worth more than the write's error.
      (void)error;
      client_http::async_read(stream_, buffer_, parser_, [this](client_beast::error_code failed, size_t) {
        if (failed) return fail(failed);
        done_ = true;
      });
    });
  }
  void fail(client_beast::error_code error) { error_ = error; }

  const HttpCall& call_;
  CallAddress address_;
  client_asio::io_context io_{1};
  ClientTcp::resolver resolver_{io_};
  client_beast::tcp_stream stream_{io_};
  client_beast::flat_buffer buffer_;
  client_http::request<client_http::string_body> message_;
  client_http::response_parser<client_http::string_body> parser_;
  client_beast::error_code error_;
  bool done_ = false;
};

}  // namespace

Result<HttpResponse> http_call(const HttpCall& call) {
  MR_ASSIGN(CallAddress address, split_call_address(call.address));
  try {
    return ClientExchange(call, std::move(address)).run();
  } catch (const std::exception& error) {  // Beast refuses methods and targets with blanks by exception
    return make_error(ErrorCode::kBadValue, call.method + " " + call.target + ": " + error.what());
  }
}

Result<HttpResponse> http_get(const std::string& address, const std::string& target) {
  HttpCall call;
  call.address = address;
  call.target = target;
  return http_call(call);
}

Result<HttpResponse> http_post(const std::string& address, const std::string& target, std::string body,
                               const std::string& content_type) {
  HttpCall call;
  call.address = address;
  call.method = "POST";
  call.target = target;
  call.body = std::move(body);
  call.content_type = content_type;
  return http_call(call);
}

std::string escape_url(std::string_view text) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool letter = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9');
    if (letter || c == '-' || c == '_' || c == '.' || c == '~') {
      out += c;
    } else {
      out += '%';
      out += kDigits[byte >> 4];
      out += kDigits[byte & 15];
    }
  }
  return out;
}

}  // namespace millrace
