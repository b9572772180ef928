// A disk in memory for tests, as unkind as POSIX allows: crash() forgets bytes that were not synced, and names
// (created, renamed, removed) whose directory was not synced. It can run full, fail syncs and rot. Any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/file_system.h"
#include "core/random.h"

namespace millrace {

class SimulatedFileSystem final : public FileSystem {
 public:
  SimulatedFileSystem();
  ~SimulatedFileSystem() override;

  Result<std::unique_ptr<WritableFile>> create(const std::string& path) override;
  Result<std::unique_ptr<WritableFile>> open_append(const std::string& path) override;
  Result<std::unique_ptr<ReadableFile>> open(const std::string& path) override;
  Result<std::string> read_all(const std::string& path) override;
  Status rename(const std::string& from, const std::string& to) override;
  Status rename_no_replace(const std::string& from, const std::string& to) override;
  Status sync_directory(const std::string& path) override;
  Status create_directories(const std::string& path) override;
  Result<std::vector<DirEntry>> list(const std::string& path) override;
  Status remove(const std::string& path) override;
  Status remove_all(const std::string& path) override;
  Status truncate(const std::string& path, uint64_t size) override;
  bool exists(const std::string& path) override;
  Status link(const std::string& from, const std::string& to) override;

  /// The machine loses power: nothing that was not synced remains; handles opened before fail from now on.
  void crash();
  /// The same, but of every unsynced append a random part survives, as on a disk that had begun to write.
  void crash(Random& random);

  /// From now on `bytes` more can be appended, then writes fail with kDiskFull (the part that fits is written).
  /// nullopt: no limit.
  void set_space_left(std::optional<uint64_t> bytes);
  /// The next `count` calls of sync() and sync_directory() fail with kIo and make nothing durable.
  void fail_syncs(uint32_t count);
  /// Rot: flips one bit of the stored file, behind everybody's back.
  Status flip_bit(const std::string& path, uint64_t byte, int bit);

  /// Counts of this disk, for tests of how often a protocol syncs.
  [[nodiscard]] uint64_t sync_calls() const;

 private:
  struct Disk;
  friend class SimulatedWritableFile;
  friend class SimulatedReadableFile;
  std::shared_ptr<Disk> disk_;
};

}  // namespace millrace
