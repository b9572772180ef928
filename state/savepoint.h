// A savepoint is a completed checkpoint copied to where its owner wants it: the same files, and beside them the output
// written ahead that its state still has to publish. Nothing in it points outside, so it may be moved; it is never
// removed by Millrace. It is restored like a checkpoint, by its path.
#pragma once

#include <cstdint>
#include <string>

#include "core/file_system.h"

namespace millrace {

/// Copies checkpoint `id` of a job's directory to `target`, which must not exist; complete when it returns, and no
/// savepoint at all (kMissingState) when it fails half way. The checkpoint must stay until then.
Status write_savepoint(FileSystem& fs, const std::string& job_directory, int64_t id, const std::string& target);

/// The segments below `from` (<sink>/<lane>/<file>) to below `to`; nothing where `from` does not exist.
Status copy_segments(FileSystem& fs, const std::string& from, const std::string& to);

}  // namespace millrace
