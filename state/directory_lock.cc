#include "state/directory_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "core/file_system.h"

namespace millrace {

namespace {

Status write_lock_holder(int fd, const std::string& path) {
  const std::string pid = std::to_string(::getpid()) + "\n";
  if (::ftruncate(fd, 0) != 0) return errno_error("cannot write", path, errno);
  if (::pwrite(fd, pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
    return errno_error("cannot write", path, errno);
  }
  return {};
}

std::string read_lock_holder(int fd) {
  char text[32] = {};
  const ssize_t n = ::pread(fd, text, sizeof text - 1, 0);
  std::string pid(text, n > 0 ? static_cast<size_t>(n) : 0);
  while (!pid.empty() && (pid.back() < '0' || pid.back() > '9')) pid.pop_back();
  return pid;
}

// Someone may have replaced the file between open and flock.
bool is_current_lock_file(int fd, const std::string& path) {
  struct stat held{};
  struct stat named{};
  return ::fstat(fd, &held) == 0 && ::stat(path.c_str(), &named) == 0 && held.st_ino == named.st_ino &&
         held.st_dev == named.st_dev;
}

}  // namespace

DirectoryLock::~DirectoryLock() { ::close(fd_); }

Result<std::unique_ptr<DirectoryLock>> DirectoryLock::acquire(const std::string& directory, bool take_over) {
  const std::string path = join_path(directory, "lock");
  const std::string fresh = path + "." + std::to_string(::getpid());
  for (;;) {
    const std::string& opened = take_over ? fresh : path;
    const int fd = ::open(opened.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) return errno_error("cannot open", opened, errno);
    std::unique_ptr<DirectoryLock> lock(new DirectoryLock(fd));
    if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
      if (errno == EINTR) continue;
      if (errno != EWOULDBLOCK) return errno_error("cannot lock", opened, errno);
      return make_error(ErrorCode::kDirectoryLocked, directory + " is held by process " + read_lock_holder(fd),
                        "stop that process, or start with --take-over when it hangs");
    }
    MR_TRY(write_lock_holder(fd, opened));
    if (take_over) {
      if (::rename(fresh.c_str(), path.c_str()) != 0) return errno_error("cannot replace", path, errno);
      return lock;
    }
    if (is_current_lock_file(fd, path)) return lock;
  }
}

}  // namespace millrace
