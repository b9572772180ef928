// Whole files: their checksum, and copies of them from one file system to another. Read in pieces, so that the memory
// needed does not depend on the file. Any thread.
#pragma once

#include <cstdint>
#include <string>

#include "core/file_system.h"
#include "core/status.h"

namespace millrace {

/// What a file holds; equal digests count as equal content.
struct FileDigest {
  uint64_t bytes = 0;
  uint64_t checksum = 0;  // hash64 of the content
  friend bool operator==(const FileDigest&, const FileDigest&) = default;
};

Result<uint64_t> file_size(FileSystem& fs, const std::string& path);
Result<FileDigest> digest_file(FileSystem& fs, const std::string& path);

/// Appends the whole of `from`; answers what that was.
Result<FileDigest> copy_into(FileSystem& from_fs, const std::string& from, WritableFile& to);

enum class CopySync : bool { kNo, kYes };
/// Creates or truncates `to`; with kYes its bytes are durable afterwards, its name is not. Answers what was copied.
Result<FileDigest> copy_file(FileSystem& from_fs, const std::string& from, FileSystem& to_fs, const std::string& to,
                             CopySync sync);

}  // namespace millrace
