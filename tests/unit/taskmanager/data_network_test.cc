#include "taskmanager/network/data_network.h"

#include <catch2/catch.hpp>
#include <optional>
#include <thread>

#include "data/wire.h"
#include "tests/unit/taskmanager/network_support.h"

namespace millrace {

namespace {

Element control(ElementKind kind, int64_t value = 0, bool final = false) {
  Element element;
  element.kind = kind;
  element.value = value;
  element.final = final;
  return element;
}

DataNetworkOptions tiny_window() {
  DataNetworkOptions options;
  options.window = {.bytes = 1, .entries = 1};
  return options;
}

}  // namespace

TEST_CASE("Every kind of element travels, in order, whichever side opens first") {
  for (const bool receiver_first : {true, false}) {
    NetworkCluster cluster(2);
    OneChannel channel(cluster, "job");
    if (receiver_first) {
      channel.to->open();
      channel.from->open();
    } else {
      channel.open();
    }
    channel.send(batch_of({1, 2, 3}));
    channel.send(control(ElementKind::kWatermark, -7));
    channel.send(control(ElementKind::kIdle));
    channel.send(control(ElementKind::kActive));
    channel.send(control(ElementKind::kBarrier, 12, true));
    channel.send(control(ElementKind::kEnd));
    REQUIRE(numbers_of(channel.take().batch) == std::vector<int64_t>{1, 2, 3});
    const Element watermark = channel.take();
    REQUIRE(watermark.kind == ElementKind::kWatermark);
    REQUIRE(watermark.value == -7);
    REQUIRE(channel.take().kind == ElementKind::kIdle);
    REQUIRE(channel.take().kind == ElementKind::kActive);
    const Element barrier = channel.take();
    REQUIRE(barrier.kind == ElementKind::kBarrier);
    REQUIRE(barrier.value == 12);
    REQUIRE(barrier.final);
    REQUIRE(channel.take().kind == ElementKind::kEnd);
    REQUIRE(channel.input->front() == nullptr);
    REQUIRE(cluster.networks[0]->connections() == 1);
  }
}

TEST_CASE("Nothing leaves before its receiver has opened the channel") {
  NetworkCluster cluster(2);
  OneChannel channel(cluster, "job");
  channel.from->open();
  Element element = batch_of({5});
  REQUIRE_FALSE(channel.output->offer(element));
  REQUIRE(numbers_of(element.batch) == std::vector<int64_t>{5});
  channel.to->open();
  channel.send(element);
  REQUIRE(numbers_of(channel.take().batch) == std::vector<int64_t>{5});
}

TEST_CASE("A window of one byte and one entry carries batches of any size, and wakes whoever waits") {
  NetworkCluster cluster(2, tiny_window());
  OneChannel channel(cluster, "job");
  channel.open();
  constexpr int64_t kElements = 3'000;
  std::thread writer([&] {
    for (int64_t i = 0; i < kElements; ++i) channel.send(batch_of(std::vector<int64_t>(static_cast<size_t>(i), i)));
  });
  int64_t rows = 0;
  for (int64_t i = 0; i < kElements; ++i) rows += channel.take().batch.rows;
  writer.join();
  REQUIRE(rows == kElements * (kElements - 1) / 2);
}

TEST_CASE("Compressed batches come back as they were") {
  DataNetworkOptions options;
  options.compression = {.bytes_min = 1, .loopback = true};
  NetworkCluster cluster(2, options);
  OneChannel channel(cluster, "job");
  channel.open();
  std::vector<int64_t> repeating(4000, 42);
  repeating[1234] = 7;
  channel.send(batch_of(repeating));
  channel.send(batch_of({1}));  // grows when compressed: sent as it is
  REQUIRE(numbers_of(channel.take().batch) == repeating);
  REQUIRE(numbers_of(channel.take().batch) == std::vector<int64_t>{1});
}

TEST_CASE("What is in flight stays within the window, whose use is shown") {
  DataNetworkOptions options;
  options.window = {.bytes = 100'000, .entries = 64};
  NetworkCluster cluster(2, options);
  OneChannel channel(cluster, "job");
  channel.open();
  const std::vector<int64_t> values(500, 1);
  const size_t cost = element_cost(static_cast<uint32_t>(encode_batch(numbers(values), *numbers_schema()).size()));
  size_t sent = 1;
  channel.send(batch_of(values));
  Element element = batch_of(values);
  while (channel.output->offer(element)) {
    ++sent;
    element = batch_of(values);
  }
  REQUIRE(sent == 100'000 / cost);
  REQUIRE(channel.output->usage() > 0.9);
  for (size_t i = 0; i < sent; ++i) REQUIRE(channel.take().batch.rows == 500);
  channel.send(element);
  REQUIRE(channel.take().batch.rows == 500);
}

TEST_CASE("A reader that reads nothing does not hold up another job on the same connection") {
  NetworkCluster cluster(2);
  OneChannel stuck(cluster, "stuck");
  OneChannel lively(cluster, "lively");
  stuck.open();
  lively.open();
  stuck.send(batch_of({1}));
  Element element = batch_of(std::vector<int64_t>(4000, 9));
  while (stuck.output->offer(element)) element = batch_of(std::vector<int64_t>(4000, 9));
  for (int64_t i = 0; i < 2'000; ++i) {
    lively.send(batch_of({i}));
    REQUIRE(numbers_of(lively.take().batch) == std::vector<int64_t>{i});
  }
  REQUIRE_FALSE(stuck.output->offer(element));
}

TEST_CASE("A lost connection fails the jobs that have channels on it, with the peer's name, and no other job") {
  NetworkCluster cluster(3);
  OneChannel other(cluster, "other");  // between the members that stay
  other.open();
  FailureNote note;
  Waker waker;
  const auto here = cluster.join(0, "job", 1, note.callback());
  here->output({1, 0, 2}, 2, numbers_schema(), &waker);
  here->open();
  auto there = cluster.join(2, "job", 1, [](const Error&) {});
  there->input({1, 0, 2}, 0, numbers_schema(), &waker);
  there->open();
  wait_until([&] { return cluster.networks[0]->connections() == 2; }, "connected");
  const std::string address = cluster.addresses[2].data_address;
  there.reset();
  cluster.networks[2].reset();
  const Error error = note.wait();
  REQUIRE(error.code == ErrorCode::kConnectionLost);
  REQUIRE(error.transient());
  REQUIRE(error.message ==
          "the data connection to task manager `tm2` (" + address + ") was lost: it was closed by the other side");
  other.send(batch_of({4}));
  REQUIRE(numbers_of(other.take().batch) == std::vector<int64_t>{4});
}

TEST_CASE("A peer that is not there fails the job after the time for connecting, with its address") {
  DataNetworkOptions options;
  options.connect_timeout_ms = 100;
  NetworkCluster cluster(2, options);
  cluster.networks[1].reset();
  FailureNote note;
  Waker waker;
  const auto job = cluster.join(0, "job", 1, note.callback());
  job->output({1, 0, 1}, 1, numbers_schema(), &waker);
  job->open();
  const Error error = note.wait();
  REQUIRE(error.code == ErrorCode::kConnectionLost);
  REQUIRE(error.message.find("task manager `tm1` (" + cluster.addresses[1].data_address + ")") != std::string::npos);
  REQUIRE(error.message.find("refused") != std::string::npos);
}

TEST_CASE("A task manager that comes up late is reached by trying again") {
  NetworkCluster cluster(2);
  const std::string address = cluster.addresses[1].data_address;
  cluster.networks[1].reset();
  Waker producer;
  Waker consumer;
  const auto from = cluster.join(0, "job");
  ChannelOutput* output = from->output({0, 0, 1}, 1, numbers_schema(), &producer);
  from->open();
  DataNetworkOptions options;
  options.id = "tm1";
  options.port = static_cast<uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)));
  cluster.networks[1] = DataNetwork::start(options).value();
  const auto to = cluster.join(1, "job");
  ChannelInput* input = to->input({0, 0, 1}, 0, numbers_schema(), &consumer);
  to->open();
  Element element = batch_of({3});
  while (!output->offer(element)) producer.wait(-1);
  while (input->front() == nullptr) consumer.wait(-1);
  REQUIRE(numbers_of(input->pop().batch) == std::vector<int64_t>{3});
}

TEST_CASE("Frames of an attempt that is gone are dropped and counted, and the next attempt starts clean") {
  NetworkCluster cluster(2);
  auto first = std::make_unique<OneChannel>(cluster, "job", 1);
  first->open();
  first->send(batch_of({1}));
  first->take();
  first->to.reset();
  Element late = batch_of({2});
  REQUIRE(first->output->offer(late));
  wait_until([&] { return cluster.networks[1]->stale_frames() == 1; }, "the late frame is counted");
  OneChannel second(cluster, "job", 2);
  second.open();
  second.send(batch_of({3}));
  REQUIRE(numbers_of(second.take().batch) == std::vector<int64_t>{3});
}

TEST_CASE("Members tell each other how far their sources are, and nobody goes ahead of a member that said nothing") {
  NetworkCluster cluster(3);
  struct Member {
    std::shared_ptr<SourceAlignment> alignment = std::make_shared<SourceAlignment>();
    std::shared_ptr<RemoteChannels> channels;
  };
  const auto attempt = [&](uint32_t number, const std::vector<uint32_t>& others, std::optional<int64_t> event_time) {
    Member member;
    member.alignment->report_others(INT64_MIN);
    if (event_time) member.alignment->report(member.alignment->join(), *event_time);
    member.channels = cluster.join(number, "job");
    member.channels->align(member.alignment, others);
    member.channels->open();
    return member;
  };
  const Member first = attempt(0, {1, 2}, 500);
  const Member second = attempt(1, {0, 2}, 20);
  const auto knows_others = [](const SourceAlignment& alignment) { return alignment.slowest() > INT64_MIN; };
  wait_until([&] { return cluster.networks[0]->connections() == 2; }, "connected");
  REQUIRE_FALSE(knows_others(*first.alignment));  // the third has not been heard
  const Member third = attempt(2, {0, 1}, {});    // has no such source
  wait_until([&] { return first.alignment->slowest() == 20; }, "the slowest is that of the second member");
  second.alignment->report(0, 900);
  wait_until([&] { return first.alignment->slowest() == 500; }, "now it is the first");
  wait_until([&] { return third.alignment->slowest() == 500; }, "the third knows it as well");
}

TEST_CASE("A wildcard is not an address that others could use") {
  DataNetworkOptions options;
  options.id = "tm0";
  options.bind = "0.0.0.0";
  const auto network = DataNetwork::start(options).value();
  REQUIRE(network->address().find("0.0.0.0") == std::string::npos);
  options.advertised_host = "workers.example";
  REQUIRE(DataNetwork::start(options).value()->address().starts_with("workers.example:"));
  options.bind = "somewhere";
  REQUIRE(DataNetwork::start(options).error().message == "`somewhere` is not an IP address to listen on");
  options.bind = "127.0.0.1";
  options.port = static_cast<uint16_t>(std::stoi(network->address().substr(network->address().rfind(':') + 1)));
  REQUIRE(DataNetwork::start(options).error().code == ErrorCode::kIo);  // the port is taken
}

TEST_CASE("A deployment for somebody else, or with a member twice, is refused") {
  NetworkCluster cluster(2);
  NetworkJob job{.job_id = "job", .attempt = 1, .members = cluster.addresses, .self = 1, .failed = {}};
  REQUIRE(cluster.networks[0]->join(job).error().message == "a deployment for `tm1` reached `tm0`");
  job.self = 2;
  REQUIRE_FALSE(cluster.networks[0]->join(job));
  job.self = 0;
  job.members[1].task_manager = "tm0";
  REQUIRE_FALSE(cluster.networks[0]->join(job));
}

}  // namespace millrace
