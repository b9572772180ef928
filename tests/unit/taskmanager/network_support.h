// Several task managers' networks in one process, over real TCP on the loopback, and a peer made by hand that may send
// anything. Waits have a bound of half a minute only so that a hang becomes a failure.
#pragma once

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "taskmanager/network/data_network.h"
#include "tests/unit/runtime/test_rows.h"

namespace millrace {

inline void wait_until(const std::function<bool()>& done, const char* what) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!done()) {
    MR_CHECK(std::chrono::steady_clock::now() < until, what);
    std::this_thread::yield();
  }
}

/// Networks "tm0", "tm1", …
class NetworkCluster {
 public:
  explicit NetworkCluster(uint32_t members, DataNetworkOptions options = {}) {
    for (uint32_t i = 0; i < members; ++i) {
      options.id = "tm" + std::to_string(i);
      auto started = DataNetwork::start(options);
      MR_CHECK(started.has_value(), started.error().message);
      addresses.push_back({options.id, (*started)->address()});
      networks.push_back(std::move(*started));
    }
  }
  std::shared_ptr<RemoteChannels> join(
      uint32_t member, const std::string& job, int64_t attempt = 1,
      std::function<void(const Error&)> failed = [](const Error& error) { MR_CHECK(false, error.message); }) {
    auto joined = networks[member]->join({job, attempt, addresses, member, std::move(failed)});
    MR_CHECK(joined.has_value(), joined.error().message);
    return std::move(*joined);
  }

  std::vector<JobMember> addresses;
  std::vector<std::unique_ptr<DataNetwork>> networks;
};

/// One channel from member 0 to member 1.
struct OneChannel {
  OneChannel(
      NetworkCluster& cluster, const std::string& job, int64_t attempt = 1,
      const std::function<void(const Error&)>& failed = [](const Error& error) { MR_CHECK(false, error.message); })
      : from(cluster.join(0, job, attempt, failed)), to(cluster.join(1, job, attempt, failed)) {
    output = from->output(kKey, 1, numbers_schema(), &producer);
    input = to->input(kKey, 0, numbers_schema(), &consumer);
  }
  void open() {
    from->open();
    to->open();
  }
  void send(Element element) {
    while (!output->offer(element)) producer.wait(-1);  // hangs when a notice is lost
  }
  Element take() {
    while (input->front() == nullptr) consumer.wait(-1);
    return input->pop();
  }

  static constexpr ChannelKey kKey{3, 0, 1};
  Waker producer;
  Waker consumer;
  std::shared_ptr<RemoteChannels> from;
  std::shared_ptr<RemoteChannels> to;
  ChannelOutput* output = nullptr;
  ChannelInput* input = nullptr;
};

inline Element batch_of(const std::vector<int64_t>& values) {
  Element element;
  element.batch = numbers(values);
  return element;
}

/// Why a job failed.
class FailureNote {
 public:
  std::function<void(const Error&)> callback() {
    return [this](const Error& error) { promise_.set_value(error); };
  }
  Error wait() {
    MR_CHECK(future_.wait_for(std::chrono::seconds(30)) == std::future_status::ready, "the job did not fail");
    return future_.get();
  }

 private:
  std::promise<Error> promise_;
  std::future<Error> future_ = promise_.get_future();
};

/// A plain socket to "127.0.0.1:port".
class HandMadePeer {
 public:
  explicit HandMadePeer(const std::string& address) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    MR_CHECK(::connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0, "connect");
  }
  ~HandMadePeer() { ::close(fd_); }
  HandMadePeer(const HandMadePeer&) = delete;
  HandMadePeer& operator=(const HandMadePeer&) = delete;

  void send(std::string_view bytes) {
    MR_CHECK(::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size()), "send");
  }
  void send(const OutFrame& frame) {
    send(std::string_view(frame.header.data(), frame.header.size()));
    send(frame.body);
  }
  InFrame receive() {
    std::string header = read(kFrameHeaderBytes);
    auto decoded = decode_frame_header(header);
    MR_CHECK(decoded.has_value(), "a frame of ours");
    InFrame frame;
    frame.header = *decoded;
    const std::string body = read(decoded->body_bytes);
    frame.bytes = std::make_unique<char[]>(body.size());
    std::copy(body.begin(), body.end(), frame.bytes.get());
    return frame;
  }
  /// Everything until the other side closes.
  std::string read_to_end() {
    std::string all;
    char byte = 0;
    while (::recv(fd_, &byte, 1, 0) == 1) all.push_back(byte);
    return all;
  }

 private:
  std::string read(size_t bytes) {
    std::string all(bytes, '\0');
    MR_CHECK(bytes == 0 || ::recv(fd_, all.data(), bytes, MSG_WAITALL) == static_cast<ssize_t>(bytes), "closed early");
    return all;
  }
  int fd_;
};

}  // namespace millrace
