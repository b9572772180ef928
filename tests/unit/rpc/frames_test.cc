#include "rpc/frames.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <vector>

namespace millrace {
namespace {

/// What happened, in order; waits for the n-th event.
class Events {
 public:
  void add(std::string event) {
    const std::lock_guard lock(mutex_);
    events_.push_back(std::move(event));
    changed_.notify_all();
  }
  std::vector<std::string> first(size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::seconds(20), [&] { return events_.size() >= count; });
    return {events_.begin(), events_.begin() + static_cast<int64_t>(std::min(count, events_.size()))};
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> events_;
};

FrameServer::Events recorded(Events& events) {
  return {.opened = [&](ConnectionId id, const std::string&) { events.add("opened " + std::to_string(id)); },
          .received = [&](ConnectionId id,
                          std::string_view frame) { events.add(std::to_string(id) + ": " + std::string(frame)); },
          .closed = [&](ConnectionId id,
                        const std::string& reason) { events.add("closed " + std::to_string(id) + ": " + reason); }};
}

FrameClient::Events recorded_client(Events& events) {
  return {.opened = [&] { events.add("opened"); },
          .received = [&](std::string_view frame) { events.add("got " + std::string(frame)); },
          .closed = [&](const std::string& reason) { events.add("closed: " + reason); },
          .failed = [](const std::string&) {}};
}

Result<std::unique_ptr<FrameServer>> started(uint16_t port, FrameOptions options, Events& events) {
  auto server = FrameServer::listen("127.0.0.1", port, options, recorded(events));
  if (server) (*server)->start();
  return server;
}

std::unique_ptr<FrameClient> connected(const char* host, uint16_t port, FrameOptions options, Events& events) {
  auto client = std::make_unique<FrameClient>(host, port, options, recorded_client(events));
  client->start();
  return client;
}

using Texts = std::vector<std::string>;

/// A plain socket, to speak badly.
class RawSocket {
 public:
  explicit RawSocket(uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  }
  ~RawSocket() { close(fd_); }
  void write(std::string_view bytes) const {
    REQUIRE(::write(fd_, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  }

 private:
  int fd_;
};

}  // namespace

TEST_CASE("Frames travel both ways in order, and a client comes back after it was dropped") {
  Events at_server;
  Events at_client;
  auto server = started(0, {}, at_server);
  REQUIRE(server.has_value());
  const auto client = connected("127.0.0.1", (*server)->port(), {}, at_client);
  CHECK(at_client.first(1) == Texts{"opened"});
  client->send("one");
  client->send(std::string(1 << 20, 'x'));
  CHECK(at_server.first(3) == Texts{"opened 1", "1: one", "1: " + std::string(1 << 20, 'x')});
  (*server)->send(1, "answer");
  (*server)->close(1, "enough");
  CHECK(at_client.first(4) == Texts{"opened", "got answer", "closed: closed by the peer", "opened"});
  client->send("two");
  CHECK(at_server.first(6) ==
        Texts{"opened 1", "1: one", "1: " + std::string(1 << 20, 'x'), "closed 1: enough", "opened 2", "2: two"});
}

TEST_CASE("A client waits for its server") {
  Events at_server;
  Events at_client;
  uint16_t port = 0;
  {
    auto first = started(0, {}, at_server);
    REQUIRE(first.has_value());
    port = (*first)->port();
  }
  const auto client = connected("localhost", port, {}, at_client);
  auto server = started(port, {}, at_server);
  REQUIRE(server.has_value());
  CHECK(at_client.first(1) == Texts{"opened"});
}

TEST_CASE("A peer that speaks another protocol, or says nothing, or sends too much, is closed") {
  Events events;
  FrameOptions options;
  options.silence_ms = 300;
  options.frame_bytes_max = 100;
  auto server = started(0, options, events);
  REQUIRE(server.has_value());
  const RawSocket stranger((*server)->port());
  stranger.write("GET / HTTP/1.1\r\n\r\n");
  CHECK(events.first(2)[1] == "closed 1: the peer does not speak Millrace's control protocol");
  const RawSocket silent((*server)->port());
  silent.write("MRR1");
  CHECK(events.first(4)[3].starts_with("closed 2: silent for "));
  const RawSocket greedy((*server)->port());
  greedy.write(std::string_view("MRR1\xff\xff\xff\x7f", 8));
  CHECK(events.first(6)[5] == "closed 3: a frame is larger than allowed");
}

TEST_CASE("An idle connection stays: both sides give signs of life") {
  Events at_server;
  Events at_client;
  FrameOptions options;
  options.silence_ms = 200;
  auto server = started(0, options, at_server);
  REQUIRE(server.has_value());
  const auto client = connected("127.0.0.1", (*server)->port(), options, at_client);
  CHECK(at_client.first(1) == Texts{"opened"});
  // Four times the silence allowed, measured by another connection that is closed for it again and again.
  for (size_t n = 0; n < 4; ++n) {
    const RawSocket silent((*server)->port());
    silent.write("MRR1");
    (void)at_server.first(3 + 2 * n);
  }
  client->send("still here");
  CHECK(at_server.first(10).back() == "1: still here");
}

TEST_CASE("A port that is taken is refused") {
  Events events;
  auto first = started(0, {}, events);
  REQUIRE(first.has_value());
  auto second = started((*first)->port(), {}, events);
  REQUIRE_FALSE(second.has_value());
  CHECK(second.error().code == ErrorCode::kUnreachable);
}

}  // namespace millrace
