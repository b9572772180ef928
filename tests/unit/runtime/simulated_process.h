// What a simulated process has instead of a kernel: a lifeline that every call to the outside spends from. When it is
// spent the process dies inside that call, as kill -9 would, or freezes there while others run.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/file_system.h"

namespace millrace {

struct Lifeline {
  bool dead = false;
  int64_t left = -1;  // calls until `at_zero`; negative: as many as it likes
  std::function<void()> at_zero;

  Status spend() {
    if (!dead && left > 0 && --left == 0) {
      left = -1;
      if (const std::function<void()> act = std::exchange(at_zero, nullptr)) act();
    }
    if (dead) return make_error(ErrorCode::kIo, "the process is dead");
    return {};
  }
};

/// The shared disk as one process sees it: nothing has an effect after its death.
class ProcessDisk final : public FileSystem {
 public:
  ProcessDisk(FileSystem& disk, Lifeline& life) : disk_(disk), life_(life) {}

  Result<std::unique_ptr<WritableFile>> create(const std::string& path) override {
    MR_TRY(life_.spend());
    MR_ASSIGN(auto file, disk_.create(path));
    return std::make_unique<File>(std::move(file), life_);
  }
  Result<std::unique_ptr<WritableFile>> open_append(const std::string& path) override {
    MR_TRY(life_.spend());
    MR_ASSIGN(auto file, disk_.open_append(path));
    return std::make_unique<File>(std::move(file), life_);
  }
  Result<std::unique_ptr<ReadableFile>> open(const std::string& path) override {
    MR_TRY(life_.spend());
    return disk_.open(path);
  }
  Result<std::string> read_all(const std::string& path) override {
    MR_TRY(life_.spend());
    return disk_.read_all(path);
  }
  Status rename(const std::string& from, const std::string& to) override {
    MR_TRY(life_.spend());
    return disk_.rename(from, to);
  }
  Status rename_no_replace(const std::string& from, const std::string& to) override {
    MR_TRY(life_.spend());
    return disk_.rename_no_replace(from, to);
  }
  Status sync_directory(const std::string& path) override {
    MR_TRY(life_.spend());
    return disk_.sync_directory(path);
  }
  Status create_directories(const std::string& path) override {
    MR_TRY(life_.spend());
    return disk_.create_directories(path);
  }
  Result<std::vector<DirEntry>> list(const std::string& path) override {
    MR_TRY(life_.spend());
    return disk_.list(path);
  }
  Status remove(const std::string& path) override {
    MR_TRY(life_.spend());
    return disk_.remove(path);
  }
  Status remove_all(const std::string& path) override {
    MR_TRY(life_.spend());
    return disk_.remove_all(path);
  }
  Status truncate(const std::string& path, uint64_t size) override {
    MR_TRY(life_.spend());
    return disk_.truncate(path, size);
  }
  bool exists(const std::string& path) override { return life_.spend() && disk_.exists(path); }
  Result<bool> contains(const std::string& path) override {
    MR_TRY(life_.spend());
    return disk_.contains(path);
  }
  Status link(const std::string& from, const std::string& to) override {
    MR_TRY(life_.spend());
    return disk_.link(from, to);
  }

 private:
  class File final : public WritableFile {
   public:
    File(std::unique_ptr<WritableFile> file, Lifeline& life) : file_(std::move(file)), life_(life) {}
    Status append(std::string_view bytes) override {
      MR_TRY(life_.spend());
      return file_->append(bytes);
    }
    Status sync() override {
      MR_TRY(life_.spend());
      return file_->sync();
    }
    Status close() override {
      MR_TRY(life_.spend());
      return file_->close();
    }

   private:
    std::unique_ptr<WritableFile> file_;
    Lifeline& life_;
  };

  FileSystem& disk_;
  Lifeline& life_;
};

}  // namespace millrace
