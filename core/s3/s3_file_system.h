// FileSystem over S3. Directories exist only as the beginnings of names: making one does nothing, and one without files
// is not there. rename() copies inside S3 and removes, so it is not atomic; publish() is one request and is. Any
// thread; blocks, so never on a worker, except create() and append(), which write to the local disk.
#pragma once

#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "core/file_system.h"
#include "core/s3/client.h"

namespace millrace {

class S3FileSystem final : public FileSystem {
 public:
  explicit S3FileSystem(std::unique_ptr<S3Client> client) : client_(std::move(client)) {}

  Result<std::unique_ptr<WritableFile>> create(const std::string& path) override;
  Result<std::unique_ptr<WritableFile>> open_append(const std::string& path) override;
  Result<std::unique_ptr<ReadableFile>> open(const std::string& path) override;
  Result<std::string> read_all(const std::string& path) override;
  Status rename(const std::string& from, const std::string& to) override;
  Status rename_no_replace(const std::string& from, const std::string& to) override;
  Status sync_directory(const std::string& path) override;
  Status create_directories(const std::string& path) override;
  Result<std::vector<DirEntry>> list(const std::string& path) override;
  Result<std::vector<DirEntry>> list_prefix(const std::string& path, std::string_view begin) override;
  Status remove(const std::string& path) override;
  Status remove_all(const std::string& path) override;
  Status truncate(const std::string& path, uint64_t size) override;
  bool exists(const std::string& path) override { return contains(path).value_or(false); }
  Result<bool> contains(const std::string& path) override;
  Status publish(WritableFile& file, const std::string& from, const std::string& to, IfTaken if_taken,
                 EntryDurability entry) override;

 private:
  /// Once per bucket and process, before something rests on them.
  Status check_conditional_writes(const S3Path& path);

  std::unique_ptr<S3Client> client_;
  std::mutex mutex_;
  std::set<std::string> checked_;  // buckets with conditional writes
};

}  // namespace millrace
