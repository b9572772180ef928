// Files on S3. A written one is a spool until sync(), close() or FileSystem::publish() uploads it, once; one that is
// dropped before leaves nothing. A read one holds its last bytes, where indexes lie, from the start (a small one all of
// them), and asks for ranges, larger ones while it is read in order; several threads may share it.
#pragma once

#include <memory>
#include <mutex>

#include "core/file_system.h"
#include "core/s3/client.h"
#include "core/s3/spool.h"

namespace millrace {

class S3WritableFile final : public WritableFile {
 public:
  S3WritableFile(S3Client& client, S3Path path)
      : client_(client), path_(std::move(path)), spool_(client.settings().spool_dir) {}

  /// kInternal after the upload: objects do not grow.
  Status append(std::string_view bytes) override;
  Status sync() override;
  Status close() override { return sync(); }
  Status publish(const S3Path& to, IfTaken if_taken);

 private:
  S3Client& client_;
  S3Path path_;
  S3Spool spool_;
  bool uploaded_ = false;
};

class S3ReadableFile final : public ReadableFile {
 public:
  static Result<std::unique_ptr<S3ReadableFile>> open(S3Client& client, S3Path path);

  Result<size_t> read_at(uint64_t offset, char* into, size_t size) override;
  Result<uint64_t> size() override { return size_; }

 private:
  struct Window {
    uint64_t offset = 0;
    std::string bytes;
    [[nodiscard]] bool holds(uint64_t at) const { return at >= offset && at < offset + bytes.size(); }
  };
  using WindowPtr = std::shared_ptr<const Window>;
  S3ReadableFile(S3Client& client, S3Path path, uint64_t size, Window tail)
      : client_(client), path_(std::move(path)), size_(size), tail_(std::make_shared<const Window>(std::move(tail))) {}
  /// What a read at `offset` should fetch along.
  size_t window_bytes(uint64_t offset, size_t size);

  S3Client& client_;
  S3Path path_;
  uint64_t size_;
  WindowPtr tail_;
  std::mutex mutex_;
  WindowPtr window_;  // the last one that was fetched
};

}  // namespace millrace
