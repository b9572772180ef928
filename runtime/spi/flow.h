// What a resumable call answers; the caller's duty is in each comment.
#pragma once

#include <cstdint>

namespace millrace {

enum class Flow : uint8_t {
  kNeedInput,   // everything offered was taken: offer the next input
  kMoreOutput,  // at most one batch was emitted and there is more: call again with the same argument before anything else
  kBlocked,     // cannot go on now: call again with the same argument after the task was woken
  kDone,        // never call again
};

}  // namespace millrace
