#include "jobmanager/task_manager_server.h"

#include <catch2/catch.hpp>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <mutex>

#include "core/log.h"
#include "rpc/codec.h"
#include "rpc/frames.h"

namespace millrace {
namespace {

/// A job manager without jobs, and a task manager that is only a connection.
struct Registration {
  explicit Registration(std::vector<std::string> tokens = {}) {
    set_log_level(LogLevel::kOff);
    root = std::filesystem::temp_directory_path() / ("millrace-registration-" + std::to_string(system_random().next()));
    DispatcherConfig jobs;
    jobs.registry = &registry;
    jobs.data_dir = (root / "data").string();
    jobs.checkpoint_root = (root / "checkpoints").string();
    jobs.clock = &system_clock();
    jobs.fs = &local_file_system();
    jobs.random = &system_random();
    jobs.metrics = &metrics;
    auto opened = Dispatcher::open(std::move(jobs));
    REQUIRE(opened.has_value());
    dispatcher = std::move(*opened);
    TaskManagerServerConfig config;
    config.port = 0;
    config.version = "1.0";
    config.checkpoint_root = (root / "checkpoints").string();
    config.tokens = std::move(tokens);
    config.fs = &local_file_system();
    config.clock = &system_clock();
    config.random = &system_random();
    auto started = TaskManagerServer::start(std::move(config), *dispatcher);
    REQUIRE(started.has_value());
    server = std::move(*started);
  }
  ~Registration() {
    client.reset();
    server.reset();
    dispatcher.reset();
    std::filesystem::remove_all(root);
  }

  /// Connects as this task manager; answers the question for the nonce with `content`, or with what the file holds.
  void connect(RegisterTaskManager self, std::optional<std::string> content = std::nullopt) {
    FrameClient::Events events;
    events.opened = [this, self] { client->send(encode_frame(FromTaskManager(self))); };
    events.received = [this, content](std::string_view frame) {
      auto message = decode_from_job_manager(frame);
      if (!message) return;
      if (const auto* question = std::get_if<ReadNonce>(&*message)) {
        const std::string answer = content ? *content : local_file_system().read_all(question->path).value_or("");
        client->send(encode_frame(FromTaskManager(StorageNonce{answer, ""})));
      }
      const std::lock_guard lock(mutex);
      answers.push_back(std::move(*message));
      changed.notify_all();
    };
    events.closed = [](const std::string&) {};
    events.failed = [](const std::string&) {};
    client = std::make_unique<FrameClient>("127.0.0.1", server->port(), FrameOptions{}, std::move(events));
    client->start();
  }
  template <class M>
  M wait_for() {
    std::unique_lock lock(mutex);
    const M* found = nullptr;
    const bool came = changed.wait_for(lock, std::chrono::seconds(20), [&] {
      for (const FromJobManager& answer : answers) found = found == nullptr ? std::get_if<M>(&answer) : found;
      return found != nullptr;
    });
    REQUIRE(came);
    return *found;
  }

  std::filesystem::path root;
  PlanRegistry registry;
  MetricRegistry metrics;
  std::unique_ptr<Dispatcher> dispatcher;
  std::unique_ptr<TaskManagerServer> server;
  std::unique_ptr<FrameClient> client;
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<FromJobManager> answers;
};

RegisterTaskManager task_manager(const char* version = "1.0") {
  RegisterTaskManager self;
  self.id = "tm";
  self.version = version;
  self.slots = 3;
  self.data_address = "127.0.0.1:1";
  return self;
}

}  // namespace

TEST_CASE("Where there are tokens a task manager brings one, or is refused") {
  const std::string token = "a-token-of-the-cluster";
  for (const std::string& brought : {std::string(), std::string("another-token-of-old")}) {
    Registration cluster({token});
    RegisterTaskManager self = task_manager();
    self.token = brought;
    cluster.connect(self);
    const auto refused = cluster.wait_for<RegistrationRefused>();
    CHECK(refused.message == (brought.empty() ? "it brings no token" : "its token is wrong"));
    CHECK(refused.help.find("token_file") != std::string::npos);
    CHECK(cluster.dispatcher->task_managers().empty());
  }
  Registration cluster({token});
  RegisterTaskManager self = task_manager();
  self.token = token;
  cluster.connect(self);
  (void)cluster.wait_for<Registered>();
}

TEST_CASE("A task manager that sees the checkpoint storage is registered with its slots") {
  Registration cluster;
  cluster.connect(task_manager());
  (void)cluster.wait_for<Registered>();
  const auto views = cluster.dispatcher->task_managers();
  REQUIRE(views.size() == 1);
  CHECK(views[0].slots_free == 3);
  CHECK(cluster.dispatcher->registered().allocate("job", 4) == std::nullopt);
  CHECK(cluster.dispatcher->registered().shortage(4) == "needs 4 slots, 3 of 3 are free");
  REQUIRE(cluster.dispatcher->registered().allocate("job", 2).has_value());
  CHECK(cluster.dispatcher->task_managers()[0].slots_free == 1);
}

TEST_CASE("A task manager of another version is refused for good") {
  Registration cluster;
  cluster.connect(task_manager("2.0"));
  const auto refused = cluster.wait_for<RegistrationRefused>();
  CHECK(refused.message == "it runs version 2.0, the job manager 1.0");
  CHECK(refused.final);
  CHECK(cluster.dispatcher->task_managers().empty());
}

TEST_CASE("A task manager that does not see the checkpoint storage is refused, and may come again") {
  Registration cluster;
  cluster.connect(task_manager(), "something else");
  const auto refused = cluster.wait_for<RegistrationRefused>();
  CHECK(refused.message.starts_with("it does not see the checkpoint storage of the job manager at "));
  CHECK_FALSE(refused.final);
  CHECK(cluster.dispatcher->task_managers().empty());
}

TEST_CASE("Slots are spread over the task managers, and all of a job's are there or none") {
  TaskManagers pool([] {});
  for (const char* id : {"a", "b"}) {
    TaskManagerView view;
    view.id = id;
    view.slots = 2;
    pool.add(view, [](const ToTaskManager&) {});
  }
  const auto first = pool.allocate("one", 2);
  REQUIRE(first.has_value());
  CHECK(first->members.size() == 2);
  CHECK(pool.allocate("two", 3) == std::nullopt);
  CHECK(pool.views()[0].slots_free == 1);
  CHECK(pool.remove("a") == std::vector<std::string>{"one"});
  pool.release("one");
  REQUIRE(pool.allocate("two", 2).has_value());
  CHECK(pool.shortage(1) == "needs 1 slots, 0 of 2 are free");
}

}  // namespace millrace
