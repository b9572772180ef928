#include "core/file_system.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <filesystem>

namespace millrace {
namespace {

constexpr size_t kWriteBufferBytes = 256 * 1024;
std::atomic<uint64_t> g_fsyncs{0};

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

class LocalWritableFile final : public WritableFile {
 public:
  LocalWritableFile(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}

  Status append(std::string_view bytes) override {
    if (buffer_.size() + bytes.size() <= kWriteBufferBytes) {
      buffer_.append(bytes);
      return {};
    }
    MR_TRY(flush());
    if (bytes.size() < kWriteBufferBytes) {
      buffer_.append(bytes);
      return {};
    }
    return write_out(bytes);
  }

  Status sync() override {
    MR_TRY(flush());
    g_fsyncs.fetch_add(1, std::memory_order_relaxed);
    if (::fdatasync(fd_.get()) != 0) return errno_error("cannot sync", path_, errno);
    return {};
  }

  Status close() override {
    MR_TRY(flush());
    if (::close(fd_.release()) != 0) return errno_error("cannot close", path_, errno);
    return {};
  }

 private:
  Status flush() {
    MR_TRY(write_out(buffer_));
    buffer_.clear();
    return {};
  }

  Status write_out(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t written = ::write(fd_.get(), bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return errno_error("cannot write", path_, errno);
      bytes.remove_prefix(static_cast<size_t>(written));
    }
    return {};
  }

  Descriptor fd_;
  std::string path_;
  std::string buffer_;
};

class LocalReadableFile final : public ReadableFile {
 public:
  LocalReadableFile(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}

  Result<size_t> read_at(uint64_t offset, char* into, size_t size) override {
    size_t done = 0;
    while (done < size) {
      const ssize_t n = ::pread(fd_.get(), into + done, size - done, static_cast<off_t>(offset + done));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return errno_error("cannot read", path_, errno);
      if (n == 0) break;
      done += static_cast<size_t>(n);
    }
    return done;
  }

  Result<uint64_t> size() override {
    struct stat info{};
    if (::fstat(fd_.get(), &info) != 0) return errno_error("cannot read the size of", path_, errno);
    return static_cast<uint64_t>(info.st_size);
  }

 private:
  Descriptor fd_;
  std::string path_;
};

Result<std::unique_ptr<WritableFile>> open_for_writing(const std::string& path, int flags) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0644);
  if (fd < 0) return errno_error("cannot create", path, errno);
  return std::make_unique<LocalWritableFile>(fd, path);
}

class LocalFileSystem final : public FileSystem {
 public:
  Result<std::unique_ptr<WritableFile>> create(const std::string& path) override {
    return open_for_writing(path, O_TRUNC);
  }
  Result<std::unique_ptr<WritableFile>> open_append(const std::string& path) override {
    return open_for_writing(path, O_APPEND);
  }
  Result<std::unique_ptr<ReadableFile>> open(const std::string& path) override {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return errno_error("cannot open", path, errno);
    return std::make_unique<LocalReadableFile>(fd, path);
  }
  Result<std::string> read_all(const std::string& path) override {
    MR_ASSIGN(auto file, open(path));
    MR_ASSIGN(const uint64_t size, file->size());
    std::string bytes(size, '\0');
    MR_ASSIGN(const size_t read, file->read_at(0, bytes.data(), bytes.size()));
    bytes.resize(read);
    return bytes;
  }
  Status rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) return errno_error("cannot rename to", to, errno);
    return {};
  }
  Status rename_no_replace(const std::string& from, const std::string& to) override {
    if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return {};
    if (errno == EEXIST) return make_error(ErrorCode::kRefusedByState, to + " exists already");
    return errno_error("cannot rename to", to, errno);
  }
  Status sync_directory(const std::string& path) override {
    const Descriptor fd(::open(path.empty() ? "." : path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (fd.get() < 0) return errno_error("cannot open the directory", path, errno);
    g_fsyncs.fetch_add(1, std::memory_order_relaxed);
    if (::fsync(fd.get()) != 0) return errno_error("cannot sync the directory", path, errno);
    return {};
  }
  Status create_directories(const std::string& path) override {
    std::error_code error;
    std::filesystem::create_directories(path, error);
    if (error) return errno_error("cannot create the directory", path, error.value());
    return {};
  }
  Result<std::vector<DirEntry>> list(const std::string& path) override {
    DIR* directory = ::opendir(path.c_str());
    if (directory == nullptr) return errno_error("cannot list", path, errno);
    std::vector<DirEntry> entries;
    while (const dirent* entry = ::readdir(directory)) {
      const std::string_view name = entry->d_name;
      if (name == "." || name == "..") continue;
      struct stat info{};
      if (::stat(join_path(path, name).c_str(), &info) != 0) continue;  // vanished meanwhile
      entries.push_back({std::string(name), S_ISDIR(info.st_mode), static_cast<uint64_t>(info.st_size)});
    }
    ::closedir(directory);
    std::sort(entries.begin(), entries.end(), [](const DirEntry& a, const DirEntry& b) { return a.name < b.name; });
    return entries;
  }
  Status remove(const std::string& path) override {
    if (::unlink(path.c_str()) != 0) return errno_error("cannot remove", path, errno);
    return {};
  }
  Status remove_all(const std::string& path) override {
    std::error_code error;
    std::filesystem::remove_all(path, error);
    if (error) return errno_error("cannot remove", path, error.value());
    return {};
  }
  Status truncate(const std::string& path, uint64_t size) override {
    if (::truncate(path.c_str(), static_cast<off_t>(size)) != 0) return errno_error("cannot truncate", path, errno);
    return {};
  }
  bool exists(const std::string& path) override { return ::access(path.c_str(), F_OK) == 0; }
};

}  // namespace

FileSystem& local_file_system() {
  static LocalFileSystem fs;
  return fs;
}

uint64_t fsync_count() { return g_fsyncs.load(std::memory_order_relaxed); }

Status write_file_durably(FileSystem& fs, const std::string& path, std::string_view bytes) {
  const std::string temporary = path + ".tmp";
  MR_ASSIGN(auto file, fs.create(temporary));
  MR_TRY(file->append(bytes));
  MR_TRY(file->sync());
  MR_TRY(file->close());
  MR_TRY(fs.rename(temporary, path));
  return fs.sync_directory(parent_path(path));
}

std::string join_path(std::string_view directory, std::string_view name) {
  if (directory.empty()) return std::string(name);
  std::string path(directory);
  if (path.back() != '/') path.push_back('/');
  return path.append(name);
}

std::string parent_path(std::string_view path) {
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  const size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return ".";
  return std::string(slash == 0 ? "/" : path.substr(0, slash));
}

}  // namespace millrace
