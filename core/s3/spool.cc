#include "core/s3/spool.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "core/file_system.h"

namespace millrace {

namespace {

constexpr size_t kMemoryBytes = 1 << 20;

/// Gone with the descriptor, however the process ends.
int open_nameless(const std::string& directory) {
  const int fd = ::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR)) return fd;
  std::string name = join_path(directory, "millrace-XXXXXX");
  const int named = ::mkostemp(name.data(), O_CLOEXEC);
  if (named >= 0) ::unlink(name.c_str());
  return named;
}

}  // namespace

S3Spool::~S3Spool() {
  if (fd_ >= 0) ::close(fd_);
}

Status S3Spool::append(std::string_view bytes) {
  memory_.append(bytes);
  return memory_.size() > kMemoryBytes ? flush() : Status{};
}

Status S3Spool::flush() {
  if (fd_ < 0) fd_ = open_nameless(directory_);
  if (fd_ < 0) return errno_error("create a file for what waits to be uploaded in", directory_, errno);
  size_t done = 0;
  while (done < memory_.size()) {
    const auto at = static_cast<off_t>(on_disk_);
    const ssize_t written = ::pwrite(fd_, memory_.data() + done, memory_.size() - done, at);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      const int error = errno;
      memory_.erase(0, done);
      return errno_error("write what waits to be uploaded to", directory_, error);
    }
    done += static_cast<size_t>(written);
    on_disk_ += static_cast<uint64_t>(written);
  }
  memory_.clear();
  return {};
}

Result<std::string> S3Spool::read(uint64_t offset, size_t size) {
  std::string out(size, '\0');
  size_t got = 0;
  while (got < size && offset + got < on_disk_) {
    const ssize_t read = ::pread(fd_, out.data() + got, size - got, static_cast<off_t>(offset + got));
    if (read < 0 && errno == EINTR) continue;
    if (read <= 0) return errno_error("read what waits to be uploaded from", directory_, read < 0 ? errno : EIO);
    got += static_cast<size_t>(read);
  }
  if (got < size) memory_.copy(out.data() + got, size - got, offset + got - on_disk_);
  return out;
}

}  // namespace millrace
