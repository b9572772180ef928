// What keyed state of a process may use: memory, divided here and nowhere else, and a directory of its own on the local
// disk for what leaves memory. Shared by all tasks of the process.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "core/status.h"
#include "state/directory_lock.h"
#include "state/task_store.h"

namespace millrace {

class StateResources {
 public:
  /// `memory_bytes` is the process's number. Without 32 MB (an eighth of a small one) for the program itself: three
  /// fifths for tables, three twentieths for the cache of the spill stores, the rest for buffers and batches. The
  /// directory is made below `root` when a task first asks for it; those that dead processes left there are removed
  /// then.
  StateResources(std::string root, uint64_t memory_bytes);

  ~StateResources();
  StateResources(const StateResources&) = delete;
  StateResources& operator=(const StateResources&) = delete;

  [[nodiscard]] const std::shared_ptr<StateBudget>& budget() const { return budget_; }
  [[nodiscard]] const std::shared_ptr<SpillMemory>& memory() const { return memory_; }
  /// Any thread.
  Result<std::string> directory();

 private:
  std::string root_;
  std::shared_ptr<StateBudget> budget_ = std::make_shared<StateBudget>();
  std::shared_ptr<SpillMemory> memory_;
  std::mutex mutex_;
  std::string directory_;
  std::unique_ptr<DirectoryLock> lock_;
};

}  // namespace millrace
