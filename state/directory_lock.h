// The kernel lock (flock) by which one process owns a job's directory; it goes with the process, however that ends.
// The file holds the owner's pid for the error message only.
#pragma once

#include <memory>
#include <string>

#include "core/status.h"

namespace millrace {

class DirectoryLock {
 public:
  /// kDirectoryLocked names the holder's pid. With `take_over` the lock file is replaced: the holder keeps a lock that
  /// nobody looks at any more, and must find out by the attempt in job-<attempt>.json.
  static Result<std::unique_ptr<DirectoryLock>> acquire(const std::string& directory, bool take_over);
  ~DirectoryLock();
  DirectoryLock(const DirectoryLock&) = delete;
  DirectoryLock& operator=(const DirectoryLock&) = delete;

 private:
  explicit DirectoryLock(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace millrace
