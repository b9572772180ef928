// Files behind an interface: the local disk and object storage in production (core/storage.h chooses by path), a
// simulated disk that loses unsynced data in tests. Paths are absolute, relative to the process, or s3://bucket/key.
// Any thread. Errors name the path. Object storage has no rename and no append: what must appear at once, whole and
// durable goes through publish(), which is one request there.
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

/// What to do when the name is taken.
enum class IfTaken : uint8_t { kReplace, kRefuse };
/// Whether the new name must survive a crash already, or may wait for another sync of its directory.
enum class EntryDurability : uint8_t { kNow, kLater };

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
  /// Those whose names start with `begin`.
  virtual Result<std::vector<DirEntry>> list_prefix(const std::string& path, std::string_view begin);
  virtual Status remove(const std::string& path) = 0;
  virtual Status remove_all(const std::string& path) = 0;
  virtual Status truncate(const std::string& path, uint64_t size) = 0;
  /// False also when it cannot be found out: where a wrong no does harm, ask contains().
  virtual bool exists(const std::string& path) = 0;
  virtual Result<bool> contains(const std::string& path) { return exists(path); }
  /// Ends `file`, which create(from) gave, and gives its content the name `to` in the same directory, durable when this
  /// returns. kRefusedByState: `to` exists and was not to be replaced. After another error `to` may exist all the same.
  virtual Status publish(WritableFile& file, const std::string& from, const std::string& to, IfTaken if_taken,
                         EntryDurability entry);
  /// Another name for a file of the local disk, which nobody may write to any more; `to` must not exist. Any error:
  /// copy it instead.
  virtual Status link(const std::string& from, const std::string& to);
};

FileSystem& local_file_system();

/// s3://…: names without directories, renames or locks.
bool is_object_path(std::string_view path);

/// Number of fsync and fdatasync calls of this process so far (a bench prints it).
uint64_t fsync_count();

/// Temporary name, write, fsync, rename, fsync of the directory.
Status write_file_durably(FileSystem& fs, const std::string& path, std::string_view bytes);

std::string join_path(std::string_view directory, std::string_view name);
std::string parent_path(std::string_view path);

}  // namespace millrace
