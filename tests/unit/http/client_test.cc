#include "http/client.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <stdexcept>

#include "core/clock.h"
#include "core/log.h"
#include "http/metrics_page.h"

namespace millrace {
namespace {

HttpResponse describe_request(const HttpRequest& request) {
  std::string text = request.method + " " + request.path;
  for (const auto& [name, value] : request.query) text += " " + name + "=" + value;
  const auto type = request.headers.find("content-type");
  if (type != request.headers.end()) text += " [" + type->second + "]";
  return {request.path == "/missing" ? 404 : 200, "text/plain", text + " " + request.body};
}

/// A port on which somebody listens and never answers.
class SilentServer {
 public:
  SilentServer() : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(listen(fd_, 1) == 0);
    socklen_t size = sizeof address;
    REQUIRE(getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port_ = ntohs(address.sin_port);
  }
  ~SilentServer() { close(fd_); }
  [[nodiscard]] std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

 private:
  int fd_;
  uint16_t port_ = 0;
};

}  // namespace

TEST_CASE("the client sends what it is told and returns any status") {
  auto server = HttpServer::start({}, describe_request);
  REQUIRE(server.has_value());
  const std::string address = "http://" + (*server)->address();
  auto got = http_get(address, "/a%20b?x=" + escape_url("1&2 ä"));
  REQUIRE(got.has_value());
  CHECK(got->status == 200);
  CHECK(got->content_type == "text/plain");
  CHECK(got->body == "GET /a b x=1&2 ä ");
  auto posted = http_post(address + "/v1/", "/jobs", "{}");
  REQUIRE(posted.has_value());
  CHECK(posted->body == "POST /v1/jobs [application/json] {}");
  CHECK(http_get(address, "/missing")->status == 404);
  HttpCall call;
  call.address = (*server)->address();
  call.method = "PATCH";
  call.target = "jobs/1";
  CHECK(http_call(call)->body == "PATCH /jobs/1 ");
  call.method = "HEAD";
  CHECK(http_call(call)->body.empty());
}

TEST_CASE("a body that the server refuses is an answer and not a broken connection") {
  HttpServerOptions options;
  options.body_bytes_max = 1000;
  auto server = HttpServer::start(options, describe_request);
  REQUIRE(server.has_value());
  auto got = http_post((*server)->address(), "/", std::string(3'000'000, 'x'));
  REQUIRE(got.has_value());
  CHECK(got->status == 413);
}

TEST_CASE("a server that is not there or silent is kUnreachable") {
  std::string address;
  {
    SilentServer gone;
    address = gone.address();
  }
  CHECK(http_get(address, "/").error().code == ErrorCode::kUnreachable);
  SilentServer silent;
  HttpCall call;
  call.address = silent.address();
  call.timeout_ms = 50;
  CHECK(http_call(call).error().code == ErrorCode::kUnreachable);
}

TEST_CASE("a bad address or target is refused before anything is sent") {
  for (const char* address : {"", "http://", "https://h:1", "h:port", "[::1", "h:123456"}) {
    CAPTURE(address);
    CHECK(http_get(address, "/").error().code == ErrorCode::kBadValue);
  }
}

TEST_CASE("headers above the limit are refused") {
  auto server = HttpServer::start({}, describe_request);
  REQUIRE(server.has_value());
  CHECK(http_get((*server)->address(), "/" + std::string(20'000, 'x'))->status == 431);
}

TEST_CASE("a connection above the limit is closed without an answer") {
  HttpServerOptions options;
  options.connections_max = 1;
  auto server = HttpServer::start(options, describe_request);
  REQUIRE(server.has_value());
  const int held = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  to.sin_port = htons((*server)->port());
  REQUIRE(connect(held, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0);  // accepted first, as it came first
  CHECK_FALSE(http_get((*server)->address(), "/").has_value());
  close(held);
}

TEST_CASE("a handler that throws fails its request and not the server") {
  auto server = HttpServer::start({}, [](const HttpRequest& request) -> HttpResponse {
    if (request.path == "/throw") throw std::runtime_error("library");
    return {};
  });
  REQUIRE(server.has_value());
  set_log_level(LogLevel::kOff);
  CHECK(http_get((*server)->address(), "/throw")->status == 500);
  set_log_level(LogLevel::kInfo);
  CHECK(http_get((*server)->address(), "/")->status == 200);
}

TEST_CASE("the process describes itself in numbers") {
  std::vector<MetricSample> samples;
  collect_process_metrics(samples);
  const std::string text = render_metrics(samples);
  for (const char* name : {"process_resident_memory_bytes", "process_cpu_seconds_total", "process_open_fds",
                           "process_start_time_seconds"}) {
    CHECK(text.find(std::string("\n") + name + " ") != std::string::npos);
  }
  for (const MetricSample& sample : samples) CHECK(sample.value > 0);
  const double now = static_cast<double>(system_clock().wall_ms()) / 1000;
  CHECK(samples.back().name == "process_start_time_seconds");
  CHECK(samples.back().value < now + 1);
  CHECK(samples.back().value > now - 24 * 3600);
}

}  // namespace millrace
