// The process's one memory number, for those far from where it is divided (state/state_resources.h) who must not hold
// much ahead of what is processed; and a way to hand freed memory back at once. The number is set at the start of a
// process, before anything is deployed. Any thread.
#pragma once

#include <cstdint>

namespace millrace {

void set_process_memory_bytes(uint64_t bytes);
/// 0: nobody has set it.
uint64_t process_memory_bytes();

/// Gives what the allocator keeps of freed memory back to the system, which it would do by itself only after some ten
/// seconds. For the end of something that held much for a while; some milliseconds when there is much to give.
void give_back_freed_memory();

}  // namespace millrace
