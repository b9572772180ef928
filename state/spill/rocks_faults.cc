#include "state/spill/rocks_faults.h"

#ifdef MILLRACE_TEST_HOOKS

#include <rocksdb/file_system.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>

#include "core/crash_point.h"

namespace millrace {

namespace {

bool state_disk_is_full() {
  static const char* const sign = std::getenv("MILLRACE_STATE_FULL_WHILE");
  return sign != nullptr && ::access(sign, F_OK) == 0;
}

rocksdb::IOStatus space() {
  return disk_is_full() || state_disk_is_full() ? rocksdb::IOStatus::NoSpace("No space left on device")
                                                : rocksdb::IOStatus::OK();
}

class FillingFile final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  using FSWritableFileOwnerWrapper::Append;
  using FSWritableFileOwnerWrapper::FSWritableFileOwnerWrapper;
  rocksdb::IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                           rocksdb::IODebugContext* context) override {
    const rocksdb::IOStatus left = space();
    return left.ok() ? FSWritableFileOwnerWrapper::Append(data, options, context) : left;
  }
};

class FillingFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  using FileSystemWrapper::FileSystemWrapper;
  [[nodiscard]] const char* Name() const override { return "FillingFileSystem"; }
  rocksdb::IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* made,
                                    rocksdb::IODebugContext* context) override {
    std::unique_ptr<rocksdb::FSWritableFile> plain;
    rocksdb::IOStatus status = FileSystemWrapper::NewWritableFile(name, options, &plain, context);
    if (status.ok()) *made = std::make_unique<FillingFile>(std::move(plain));
    return status;
  }
};

}  // namespace

rocksdb::Env* rocks_env() {
  static const std::unique_ptr<rocksdb::Env> env =
      rocksdb::NewCompositeEnv(std::make_shared<FillingFileSystem>(rocksdb::FileSystem::Default()));
  return env.get();
}

}  // namespace millrace

#else

namespace millrace {
rocksdb::Env* rocks_env() { return rocksdb::Env::Default(); }
}  // namespace millrace

#endif
