// Bytes that wait for their upload: in memory up to 1 MiB, beyond that in a file without a name on the local disk. So a
// worker that writes never waits for S3, and a process holds little memory however much it writes. One thread at a
// time.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/status.h"

namespace millrace {

class S3Spool {
 public:
  explicit S3Spool(std::string directory) : directory_(std::move(directory)) {}
  ~S3Spool();
  S3Spool(const S3Spool&) = delete;
  S3Spool& operator=(const S3Spool&) = delete;

  Status append(std::string_view bytes);
  [[nodiscard]] uint64_t size() const { return on_disk_ + memory_.size(); }
  /// Exactly these bytes, which must be there.
  Result<std::string> read(uint64_t offset, size_t size);

 private:
  Status flush();

  std::string directory_;
  std::string memory_;  // behind what is on disk
  uint64_t on_disk_ = 0;
  int fd_ = -1;
};

}  // namespace millrace
