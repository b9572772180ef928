#include "core/storage.h"

#include <mutex>

#include "core/clock.h"
#include "core/random.h"
#include "core/s3/curl_transport.h"
#include "core/s3/s3_file_system.h"

namespace millrace {

namespace {

std::mutex settings_mutex;
S3Settings settings_of_process;

S3FileSystem& s3_file_system() {
  static S3FileSystem fs([] {
    const std::lock_guard lock(settings_mutex);
    return std::make_unique<S3Client>(settings_of_process, make_curl_transport(settings_of_process.ca_file),
                                      system_clock(), system_random());
  }());
  return fs;
}

class Storage final : public FileSystem {
 public:
  Result<std::unique_ptr<WritableFile>> create(const std::string& path) override {
    return file_system_for(path).create(path);
  }
  Result<std::unique_ptr<WritableFile>> open_append(const std::string& path) override {
    return file_system_for(path).open_append(path);
  }
  Result<std::unique_ptr<ReadableFile>> open(const std::string& path) override {
    return file_system_for(path).open(path);
  }
  Result<std::string> read_all(const std::string& path) override { return file_system_for(path).read_all(path); }
  Status rename(const std::string& from, const std::string& to) override {
    MR_CHECK(is_object_path(from) == is_object_path(to), "a rename from one storage to another");
    return file_system_for(to).rename(from, to);
  }
  Status rename_no_replace(const std::string& from, const std::string& to) override {
    MR_CHECK(is_object_path(from) == is_object_path(to), "a rename from one storage to another");
    return file_system_for(to).rename_no_replace(from, to);
  }
  Status sync_directory(const std::string& path) override { return file_system_for(path).sync_directory(path); }
  Status create_directories(const std::string& path) override { return file_system_for(path).create_directories(path); }
  Result<std::vector<DirEntry>> list(const std::string& path) override { return file_system_for(path).list(path); }
  Result<std::vector<DirEntry>> list_prefix(const std::string& path, std::string_view begin) override {
    return file_system_for(path).list_prefix(path, begin);
  }
  Status remove(const std::string& path) override { return file_system_for(path).remove(path); }
  Status remove_all(const std::string& path) override { return file_system_for(path).remove_all(path); }
  Status truncate(const std::string& path, uint64_t size) override {
    return file_system_for(path).truncate(path, size);
  }
  bool exists(const std::string& path) override { return file_system_for(path).exists(path); }
  Result<bool> contains(const std::string& path) override { return file_system_for(path).contains(path); }
  Status link(const std::string& from, const std::string& to) override {
    if (is_object_path(from)) return FileSystem::link(from, to);
    return file_system_for(to).link(from, to);
  }
  Status publish(WritableFile& file, const std::string& from, const std::string& to, IfTaken if_taken,
                 EntryDurability entry) override {
    return file_system_for(to).publish(file, from, to, if_taken, entry);
  }
};

}  // namespace

FileSystem& storage() {
  static Storage all;
  return all;
}

FileSystem& file_system_for(std::string_view path) {
  if (is_object_path(path)) return s3_file_system();
  return local_file_system();
}

void configure_s3(S3Settings settings) {
  const std::lock_guard lock(settings_mutex);
  settings_of_process = std::move(settings);
}

}  // namespace millrace
