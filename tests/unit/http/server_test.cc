#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <string>

#include "http/metrics_page.h"
#include "http/server.h"

namespace millrace {
namespace {

/// Sends raw bytes and reads until the server closes.
std::string talk(uint16_t port, const std::string& bytes) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  size_t sent = 0;
  while (sent < bytes.size()) {
    const ssize_t n = send(fd, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (n <= 0) break;
    sent += static_cast<size_t>(n);
  }
  std::string answer;
  char buffer[4096];
  for (ssize_t n = 0; (n = recv(fd, buffer, sizeof buffer, 0)) > 0;) answer.append(buffer, static_cast<size_t>(n));
  close(fd);
  return answer;
}

HttpResponse echo_request(const HttpRequest& request) {
  return {200, "text/plain", request.method + " " + request.path + " " + request.body};
}

}  // namespace

TEST_CASE("the server answers what the handler returns") {
  auto server = HttpServer::start({}, echo_request);
  REQUIRE(server.has_value());
  const std::string answer = talk(
      (*server)->port(), "POST /a%20b?x=1 HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi");
  CHECK(answer.starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(answer.ends_with("\r\n\r\nPOST /a b hi"));
}

TEST_CASE("a stream sends what comes until there is no more") {
  const auto stream = [](const HttpRequest&) {
    HttpResponse response{200, "text/event-stream", "data: 1\n\n"};
    response.more = [n = 1]() mutable -> std::optional<std::string> {
      if (++n == 3) return "";
      if (n == 5) return std::nullopt;
      return "data: " + std::to_string(n) + "\n\n";
    };
    return response;
  };
  auto server = HttpServer::start({}, stream);
  REQUIRE(server.has_value());
  const std::string answer = talk((*server)->port(), "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  CHECK(answer.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"));
  CHECK(answer.ends_with("\r\n\r\ndata: 1\n\ndata: 2\n\ndata: 4\n\n"));
}

TEST_CASE("a body above the limit is refused with 413 and JSON") {
  HttpServerOptions options;
  options.body_bytes_max = 10;
  auto server = HttpServer::start(options, echo_request);
  REQUIRE(server.has_value());
  const std::string answer =
      talk((*server)->port(), "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\nhello world");
  CHECK(answer.starts_with("HTTP/1.1 413"));
  CHECK(answer.find("{\"errors\":[") != std::string::npos);
}

TEST_CASE("nonsense is answered with 400") {
  auto server = HttpServer::start({}, echo_request);
  REQUIRE(server.has_value());
  CHECK(talk((*server)->port(), "GET /%zz HTTP/1.1\r\nHost: h\r\n\r\n").starts_with("HTTP/1.1 400"));
  CHECK(talk((*server)->port(), "\x01\x02\r\n\r\n").starts_with("HTTP/1.1 400"));
}

TEST_CASE("a taken port is an error, or the next free one when asked") {
  auto first = HttpServer::start({}, echo_request);
  REQUIRE(first.has_value());
  HttpServerOptions options;
  options.port = (*first)->port();
  auto second = HttpServer::start(options, echo_request);
  REQUIRE_FALSE(second.has_value());
  CHECK(second.error().message.find(std::to_string(options.port)) != std::string::npos);
  options.next_free = true;
  auto third = HttpServer::start(options, echo_request);
  REQUIRE(third.has_value());
  CHECK((*third)->port() != options.port);
}

TEST_CASE("metrics are rendered with one help line for each name") {
  std::vector<MetricSample> samples;
  samples.push_back({"millrace_x_total", "Xs.", MetricKind::kCounter, {{"step", "a\"b"}}, 3});
  samples.push_back({"millrace_x_total", "Xs.", MetricKind::kCounter, {{"step", "c"}}, 4});
  const std::string text = render_metrics(samples);
  CHECK(text.find("# HELP millrace_x_total Xs.") == text.rfind("# HELP millrace_x_total Xs."));
  CHECK(text.find("# TYPE millrace_x_total counter") != std::string::npos);
  CHECK(text.find("millrace_x_total{step=\"a\\\"b\"} 3") != std::string::npos);
  CHECK(text.find("millrace_x_total{step=\"c\"} 4") != std::string::npos);
}

}  // namespace millrace
