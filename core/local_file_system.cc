// The local disk: POSIX calls, appends gathered in a buffer, every failure with its path.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <utility>

#include "core/crash_point.h"
#include "core/file_system.h"

namespace millrace {
namespace {

constexpr size_t kWriteBufferBytes = 64 * 1024;
std::atomic<uint64_t> fsyncs{0};

/// Repeats a call that a signal interrupted.
template <class F>
auto retry_interrupted(F&& call) {
  decltype(call()) result;
  do {
    result = call();
  } while (result < 0 && errno == EINTR);
  return result;
}

class LocalWritableFile final : public WritableFile {
 public:
  LocalWritableFile(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  ~LocalWritableFile() override {
    if (fd_ >= 0) ::close(fd_);
  }

  Status append(std::string_view bytes) override {
    if (fd_ < 0) return errno_error("write", path_, EBADF);
    if (buffer_.size() + bytes.size() <= kWriteBufferBytes) {
      buffer_.append(bytes);
      return {};
    }
    MR_TRY(flush());
    if (bytes.size() >= kWriteBufferBytes) return write_out(bytes);
    buffer_.append(bytes);
    return {};
  }

  Status sync() override {
    MR_TRY(flush());
    fsyncs.fetch_add(1, std::memory_order_relaxed);
    if (retry_interrupted([&] { return ::fdatasync(fd_); }) != 0) return errno_error("sync", path_, errno);
    return {};
  }

  Status close() override {
    if (fd_ < 0) return {};
    Status flushed = flush();
    const int fd = std::exchange(fd_, -1);
    if (::close(fd) != 0 && flushed) return errno_error("close", path_, errno);
    return flushed;
  }

 private:
  Status flush() {
    MR_TRY(write_out(buffer_));
    buffer_.clear();
    return {};
  }

  Status write_out(std::string_view bytes) {
    while (!bytes.empty()) {
      if (disk_is_full()) return errno_error("write", path_, ENOSPC);
      const ssize_t written = retry_interrupted([&] { return ::write(fd_, bytes.data(), bytes.size()); });
      if (written < 0) return errno_error("write", path_, errno);
      bytes.remove_prefix(static_cast<size_t>(written));
    }
    return {};
  }

  int fd_;
  std::string path_;
  std::string buffer_;
};

class LocalReadableFile final : public ReadableFile {
 public:
  LocalReadableFile(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  ~LocalReadableFile() override { ::close(fd_); }

  Result<size_t> read_at(uint64_t offset, char* into, size_t size) override {
    size_t done = 0;
    while (done < size) {
      const auto at = static_cast<off_t>(offset + done);
      const ssize_t got = retry_interrupted([&] { return ::pread(fd_, into + done, size - done, at); });
      if (got < 0) return errno_error("read", path_, errno);
      if (got == 0) break;
      done += static_cast<size_t>(got);
    }
    return done;
  }

  Result<uint64_t> size() override {
    struct stat info{};
    if (::fstat(fd_, &info) != 0) return errno_error("stat", path_, errno);
    return static_cast<uint64_t>(info.st_size);
  }

 private:
  int fd_;
  std::string path_;
};

class LocalFileSystem final : public FileSystem {
 public:
  Result<std::unique_ptr<WritableFile>> create(const std::string& path) override {
    return open_for_writing(path, O_TRUNC, "create");
  }
  Result<std::unique_ptr<WritableFile>> open_append(const std::string& path) override {
    return open_for_writing(path, O_APPEND, "open");
  }

  Result<std::unique_ptr<ReadableFile>> open(const std::string& path) override {
    const int fd = retry_interrupted([&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC); });
    if (fd < 0) return errno_error("open", path, errno);
    return std::make_unique<LocalReadableFile>(fd, path);
  }

  Result<std::string> read_all(const std::string& path) override {
    MR_ASSIGN(auto file, open(path));
    MR_ASSIGN(const uint64_t size, file->size());
    std::string bytes(size, '\0');
    MR_ASSIGN(size_t got, file->read_at(0, bytes.data(), bytes.size()));
    while (got == bytes.size()) {  // files of /proc say size 0; others may grow while they are read
      bytes.resize(std::max<size_t>(4096, bytes.size() * 2));
      MR_ASSIGN(const size_t more, file->read_at(got, bytes.data() + got, bytes.size() - got));
      if (more == 0) break;
      got += more;
    }
    bytes.resize(got);
    return bytes;
  }

  Status rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) return errno_error("rename", from + " to " + to, errno);
    return {};
  }

  Status rename_no_replace(const std::string& from, const std::string& to) override {
    int error = ::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0 ? 0 : errno;
    if (error == EINVAL || error == ENOSYS) {  // some network file systems: a hard link never replaces either
      error = ::link(from.c_str(), to.c_str()) == 0 && ::unlink(from.c_str()) == 0 ? 0 : errno;
    }
    if (error == EEXIST) return make_error(ErrorCode::kRefusedByState, "rename " + from + ": " + to + " exists");
    if (error != 0) return errno_error("rename", from + " to " + to, error);
    return {};
  }

  Status sync_directory(const std::string& path) override {
    const int fd = retry_interrupted([&] { return ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
    if (fd < 0) return errno_error("open directory", path, errno);
    fsyncs.fetch_add(1, std::memory_order_relaxed);
    const int error = retry_interrupted([&] { return ::fsync(fd); }) == 0 ? 0 : errno;
    ::close(fd);
    if (error != 0) return errno_error("sync directory", path, error);
    return {};
  }

  Status create_directories(const std::string& path) override {
    std::error_code error;
    std::filesystem::create_directories(path, error);
    if (error) return errno_error("create directory", path, error.value());
    return {};
  }

  Result<std::vector<DirEntry>> list(const std::string& path) override {
    DIR* directory = ::opendir(path.c_str());
    if (directory == nullptr) return errno_error("list", path, errno);
    std::vector<DirEntry> entries;
    while (const dirent* entry = ::readdir(directory)) {
      const std::string_view name = entry->d_name;
      if (name == "." || name == "..") continue;
      struct stat info{};
      if (::fstatat(::dirfd(directory), entry->d_name, &info, 0) != 0) continue;  // removed in the meantime
      const bool is_directory = S_ISDIR(info.st_mode);
      entries.push_back({std::string(name), is_directory, is_directory ? 0 : static_cast<uint64_t>(info.st_size)});
    }
    ::closedir(directory);
    std::sort(entries.begin(), entries.end(), [](const DirEntry& a, const DirEntry& b) { return a.name < b.name; });
    return entries;
  }

  Status remove(const std::string& path) override {
    if (std::remove(path.c_str()) != 0) return errno_error("remove", path, errno);
    return {};
  }

  Status remove_all(const std::string& path) override {
    std::error_code error;
    std::filesystem::remove_all(path, error);
    if (error) return errno_error("remove", path, error.value());
    return {};
  }

  Status truncate(const std::string& path, uint64_t size) override {
    if (::truncate(path.c_str(), static_cast<off_t>(size)) != 0) return errno_error("truncate", path, errno);
    return {};
  }

  bool exists(const std::string& path) override { return ::access(path.c_str(), F_OK) == 0; }
  Result<bool> contains(const std::string& path) override {
    if (exists(path)) return true;
    if (errno == ENOENT || errno == ENOTDIR) return false;
    return errno_error("look for", path, errno);
  }

  Status link(const std::string& from, const std::string& to) override {
    if (::link(from.c_str(), to.c_str()) != 0) return errno_error("link", from + " to " + to, errno);
    return {};
  }

 private:
  static Result<std::unique_ptr<WritableFile>> open_for_writing(const std::string& path, int how, const char* what) {
    const int fd = retry_interrupted([&] { return ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | how, 0644); });
    if (fd < 0) return errno_error(what, path, errno);
    return std::make_unique<LocalWritableFile>(fd, path);
  }
};

}  // namespace

FileSystem& local_file_system() {
  static LocalFileSystem fs;
  return fs;
}

uint64_t fsync_count() { return fsyncs.load(std::memory_order_relaxed); }

}  // namespace millrace
