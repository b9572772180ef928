// Where task managers connect: takes registrations, proves that both sides see the same checkpoint storage, passes
// messages between task managers and the dispatcher, and reports a task manager as lost when its connection closes or
// falls silent. Callbacks run on the server's own thread; nothing here waits.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/file_system.h"
#include "core/random.h"
#include "core/status.h"
#include "jobmanager/dispatcher.h"

namespace millrace {

struct TaskManagerServerConfig {
  std::string bind = "127.0.0.1";
  uint16_t port = 6123;  // 0: any free one
  int64_t silence_ms = 5'000;
  std::string version;
  std::string checkpoint_root;      // the nonce file lies here
  std::vector<std::string> tokens;  // a task manager brings one of them; empty: no authentication
  FileSystem* fs = nullptr;
  Clock* clock = nullptr;
  Random* random = nullptr;
};

class TaskManagerServer {
 public:
  static Result<std::unique_ptr<TaskManagerServer>> start(TaskManagerServerConfig config, Dispatcher& dispatcher);
  /// The connections close; jobs are not told.
  ~TaskManagerServer();
  TaskManagerServer(const TaskManagerServer&) = delete;
  TaskManagerServer& operator=(const TaskManagerServer&) = delete;

  [[nodiscard]] uint16_t port() const;

 private:
  struct Impl;
  explicit TaskManagerServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace
