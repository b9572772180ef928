// What a job's directory looks like from outside: names, what stands where, and how the newest record and a checkpoint
// are read (declared in state/checkpoint_store.h). No state of its own; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/file_system.h"
#include "core/status.h"

namespace millrace {

inline constexpr std::string_view kMetadataName = "_metadata";
inline constexpr std::string_view kRecordBegin = "job-";
inline constexpr std::string_view kRecordTemporary = "new-job-";

/// Absolute, without `.`, `..` and repeated slashes, so that two spellings of a directory compare equal. On object
/// storage those are names like others.
std::string absolute_path(const std::string& path);

/// The number behind `begin`; 0: another name.
int64_t attempt_of(std::string_view name, std::string_view begin);
Result<int64_t> newest_attempt(FileSystem& fs, const std::string& directory);

struct FoundCheckpoints {
  std::vector<int64_t> completed;  // ascending
  std::vector<int64_t> unfinished;
  int64_t greatest = 0;
};
Result<FoundCheckpoints> find_checkpoints(FileSystem& fs, const std::string& directory);

}  // namespace millrace
