#include <catch2/catch.hpp>

#include "data/wire.h"
#include "tests/unit/taskmanager/network_support.h"

namespace millrace {

namespace {

OutFrame hello_of_version(uint32_t version) { return encode_hello({.version = version, .from = "a", .to = "tm0"}); }

std::unique_ptr<DataNetwork> network_with(ChannelWindow window) {
  DataNetworkOptions options;
  options.id = "tm0";
  options.window = window;
  return DataNetwork::start(options).value();
}

OutFrame opening(uint64_t channel, ChannelKey key, const std::string& job = "job") {
  return encode_open(
      {.job_id = job, .attempt = 1, .key = key, .channel = channel, .window_bytes = 64, .window_entries = 2});
}

/// A job on "tm0" that reads one channel from the hand-made peer "a", which has said hello and got the channel.
struct HandFedJob {
  explicit HandFedJob(ChannelWindow window = {}) : network(network_with(window)) {
    const std::vector<JobMember> members{{"a", "127.0.0.1:1"}, {"tm0", network->address()}};
    job = network->join({"job", 1, members, 1, note.callback()}).value();
    input = job->input({0, 0, 1}, 0, numbers_schema(), &waker);
    output = job->output({1, 1, 0}, 0, numbers_schema(), &waker);
    job->open();
    peer.emplace(network->address());
    peer->send(hello_of_version(kDataProtocol));
    MR_CHECK(peer->receive().header.type == FrameType::kHello, "the answer to the hello");
    channel = decode_open(peer->receive()).value().channel;
  }
  OutFrame rows(const std::string& body) const {
    return make_frame({.type = FrameType::kElement, .channel = channel}, body);
  }
  /// Reads until the job has failed.
  std::string failure() {
    wait_until([&] { return input->front() == nullptr && network->connections() == 0; }, "the connection is dropped");
    return note.wait().message;
  }

  FailureNote note;
  Waker waker;
  std::unique_ptr<DataNetwork> network;
  std::unique_ptr<RemoteChannels> job;
  ChannelInput* input = nullptr;
  ChannelOutput* output = nullptr;
  std::optional<HandMadePeer> peer;
  uint64_t channel = 0;
};

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("Whoever does not begin with a hello is dropped, and jobs do not notice") {
  NetworkCluster cluster(2);
  OneChannel channel(cluster, "job");
  channel.open();
  const std::string address = cluster.networks[1]->address();
  for (const std::string& bytes : {std::string("GET / HTTP/1.1\r\nHost: somewhere\r\nAccept: */*\r\n\r\n"),
                                   std::string(4096, '\0'), std::string(64, '\xff')}) {
    HandMadePeer stranger(address);
    stranger.send(bytes);
    REQUIRE(stranger.read_to_end().empty());
  }
  HandMadePeer impolite(address);
  impolite.send(encode_credit(1, 100, 1));
  REQUIRE(impolite.read_to_end().empty());
  channel.send(batch_of({6}));
  REQUIRE(numbers_of(channel.take().batch) == std::vector<int64_t>{6});
}

TEST_CASE("A peer of another version, for somebody else, or that should be dialed, gets a hello and is dropped") {
  const auto network = network_with({});
  for (const OutFrame& hello : {hello_of_version(kDataProtocol + 1), encode_hello({.from = "a", .to = "tm9"}),
                                encode_hello({.from = "tm0", .to = "tm0"}), encode_hello({.from = "z", .to = "tm0"})}) {
    HandMadePeer peer(network->address());
    peer.send(hello);
    REQUIRE(decode_hello(peer.receive())->from == "tm0");
    REQUIRE(peer.read_to_end().empty());
  }
  REQUIRE(network->connections() == 0);
}

TEST_CASE("A damaged batch fails the job and ends the connection") {
  HandFedJob fed;
  std::string body = encode_batch(numbers({1, 2, 3}), *numbers_schema());
  fed.peer->send(fed.rows(body));
  while (fed.input->front() == nullptr) fed.waker.wait(-1);
  REQUIRE(numbers_of(fed.input->pop().batch) == std::vector<int64_t>{1, 2, 3});
  body[body.size() / 2] = static_cast<char>(body[body.size() / 2] ^ 8);
  fed.peer->send(fed.rows(body));
  const std::string failure = fed.failure();
  REQUIRE(contains(failure, "task manager `a`"));
  REQUIRE(contains(failure, "a batch cannot be read: the checksum does not match"));
}

TEST_CASE("A compressed batch that is damaged fails the job") {
  HandFedJob fed;
  fed.peer->send(make_frame({.type = FrameType::kElement, .compressed = true, .raw_bytes = 100, .channel = fed.channel},
                            "not lz4 at all"));
  REQUIRE(contains(fed.failure(), "a compressed batch is damaged"));
}

TEST_CASE("A connection to a process whose successor has another address is given up") {
  HandFedJob fed;
  const std::vector<JobMember> members{{"a", "127.0.0.1:2"}, {"tm0", fed.network->address()}};
  const auto next = fed.network->join({"job", 2, members, 1, [](const Error&) {}}).value();
  next->input({0, 0, 1}, 0, numbers_schema(), &fed.waker);
  next->open();
  REQUIRE(contains(fed.note.wait().message, "it started anew at 127.0.0.1:2"));
  fed.peer->read_to_end();  // ends
  REQUIRE(fed.network->connections() == 0);
}

TEST_CASE("A damaged header fails the job") {
  HandFedJob fed;
  OutFrame frame = fed.rows("");
  frame.header[5] = static_cast<char>(frame.header[5] ^ 1);
  fed.peer->send(frame);
  REQUIRE(contains(fed.failure(), "the header's checksum does not match"));
}

TEST_CASE("A peer that sends more than the window allows is dropped") {
  HandFedJob fed({.bytes = 1000, .entries = 4});
  const OutFrame watermark =
      make_frame({.type = FrameType::kElement, .element = ElementKind::kWatermark, .channel = fed.channel});
  for (int i = 0; i < 5; ++i) fed.peer->send(watermark);
  REQUIRE(contains(fed.note.wait().message, "more than it had credit for"));
}

TEST_CASE("A peer with another plan of the job, and one that opens a channel twice, fail the job") {
  {
    HandFedJob fed;
    fed.peer->send(opening(1, {7, 1, 0}));
    REQUIRE(contains(fed.note.wait().message, "another plan"));
  }
  HandFedJob fed;
  for (const uint64_t channel : {1U, 2U}) fed.peer->send(opening(channel, {1, 1, 0}));
  REQUIRE(contains(fed.note.wait().message, "opened a channel twice"));
}

TEST_CASE("Credit for more than was sent, and frames of unknown channels, do no harm") {
  HandFedJob fed;
  fed.peer->send(encode_credit(999, 10, 1));
  fed.peer->send(opening(5, {1, 1, 0}));
  fed.peer->send(encode_credit(5, 1'000'000, 1'000));
  fed.peer->send(opening(6, {1, 1, 0}, "another"));
  Element element = batch_of({8});
  while (!fed.output->offer(element)) fed.waker.wait(-1);
  const InFrame frame = fed.peer->receive();
  REQUIRE(frame.header.channel == 5);
  REQUIRE(numbers_of(decode_batch(frame.body(), *numbers_schema()).value()) == std::vector<int64_t>{8});
  REQUIRE(fed.network->stale_frames() == 1);
}

}  // namespace millrace
