// Files behind an interface: the local disk in production, a simulated disk that loses unsynced data in tests.
// Paths are absolute or relative to the process. Any thread. Errors name the path.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/status.h"

namespace millrace {

class WritableFile {
 public:
  virtual ~WritableFile() = default;
  virtual Status append(std::string_view bytes) = 0;
  /// Durable after it returns.
  virtual Status sync() = 0;
  /// Must be called before destruction for buffered bytes to count as written.
  virtual Status close() = 0;
};

class ReadableFile {
 public:
  virtual ~ReadableFile() = default;
  /// Reads up to `size` bytes at `offset` into `into`; 0 = end of file.
  virtual Result<size_t> read_at(uint64_t offset, char* into, size_t size) = 0;
  virtual Result<uint64_t> size() = 0;
};

struct DirEntry {
  std::string name;
  bool is_directory = false;
  uint64_t size = 0;
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;
  /// Creates or truncates.
  virtual Result<std::unique_ptr<WritableFile>> create(const std::string& path) = 0;
  virtual Result<std::unique_ptr<WritableFile>> open_append(const std::string& path) = 0;
  virtual Result<std::unique_ptr<ReadableFile>> open(const std::string& path) = 0;
  virtual Result<std::string> read_all(const std::string& path) = 0;
  /// Replaces an existing target.
  virtual Status rename(const std::string& from, const std::string& to) = 0;
  /// kNotFound's opposite: fails with kRefusedByState when the target exists (RENAME_NOREPLACE).
  virtual Status rename_no_replace(const std::string& from, const std::string& to) = 0;
  virtual Status sync_directory(const std::string& path) = 0;
  /// Like every new name, not durable before sync_directory() of the parent.
  virtual Status create_directories(const std::string& path) = 0;
  virtual Result<std::vector<DirEntry>> list(const std::string& path) = 0;  // sorted by name
  virtual Status remove(const std::string& path) = 0;
  virtual Status remove_all(const std::string& path) = 0;
  virtual Status truncate(const std::string& path, uint64_t size) = 0;
  virtual bool exists(const std::string& path) = 0;
};

FileSystem& local_file_system();

/// Number of fsync and fdatasync calls of this process so far (a bench prints it).
uint64_t fsync_count();

/// Temporary name, write, fsync, rename, fsync of the directory.
Status write_file_durably(FileSystem& fs, const std::string& path, std::string_view bytes);

std::string join_path(std::string_view directory, std::string_view name);
std::string parent_path(std::string_view path);

}  // namespace millrace
