#include "core/process_memory.h"

#include <atomic>
#include <cstddef>

// Of jemalloc, which builds for sanitizers are without.
extern "C" int mallctl(const char* name, void* old, size_t* old_bytes, void* fresh, size_t fresh_bytes)
    __attribute__((weak));

namespace millrace {

namespace {
std::atomic<uint64_t> process_memory{0};
}  // namespace

void set_process_memory_bytes(uint64_t bytes) { process_memory.store(bytes, std::memory_order_relaxed); }
uint64_t process_memory_bytes() { return process_memory.load(std::memory_order_relaxed); }

void give_back_freed_memory() {
  if (&mallctl != nullptr) (void)mallctl("arena.4096.purge", nullptr, nullptr, nullptr, 0);  // 4096: all of them
}

}  // namespace millrace
