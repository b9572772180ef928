#include "state/state_resources.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "core/environment.h"
#include "core/file_system.h"
#include "core/process_memory.h"
#include "core/random.h"

namespace millrace {

namespace {

/// Without what the program and its libraries are, which does not grow with the number.
uint64_t for_data(uint64_t memory_bytes) {
  constexpr uint64_t kProgramBytes = 32ULL << 20;
  return memory_bytes - std::min(kProgramBytes, memory_bytes / 8);
}

}  // namespace

StateResources::StateResources(std::string root, uint64_t memory_bytes)
    : root_(std::move(root)), memory_(make_spill_memory(for_data(memory_bytes) / 20 * 3)) {
  set_process_memory_bytes(memory_bytes);
  budget_->limit_bytes = static_cast<int64_t>(for_data(memory_bytes) / 5 * 3);
#ifdef MILLRACE_TEST_HOOKS
  // So small that everything spills.
  if (const auto bytes = environment_variable("MILLRACE_STATE_BUDGET")) {
    std::from_chars(bytes->data(), bytes->data() + bytes->size(), budget_->limit_bytes);
  }
#endif
}

namespace {

/// A process that lives holds its directory's lock.
void remove_left_behind(const std::string& root) {
  FileSystem& fs = local_file_system();
  const auto entries = fs.list(root);
  if (!entries) return;
  for (const DirEntry& entry : *entries) {
    const std::string path = join_path(root, entry.name);
    if (entry.is_directory && DirectoryLock::acquire(path, false)) (void)fs.remove_all(path);
  }
}

}  // namespace

Result<std::string> StateResources::directory() {
  const std::lock_guard guard(mutex_);
  if (!directory_.empty()) return directory_;
  remove_left_behind(root_);
  constexpr int kTries = 3;  // another process may take a directory that is not locked yet for one left behind
  for (int tries = 1;; ++tries) {
    const std::string made =
        join_path(root_, std::to_string(::getpid()) + "-" + std::to_string(system_random().below(1'000'000'007)));
    MR_TRY(local_file_system().create_directories(made));
    auto lock = DirectoryLock::acquire(made, false);
    if (!lock && tries < kTries) continue;
    MR_ASSIGN(lock_, std::move(lock));
    directory_ = made;
    return directory_;
  }
}

StateResources::~StateResources() {
  if (!directory_.empty()) (void)local_file_system().remove_all(directory_);
}

}  // namespace millrace
