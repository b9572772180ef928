// What a spill store is to the transport of its files: immutable files under names of one instance, of which some come
// and some go between two checkpoints. A file's content follows from its name, so that any copy can be judged.
#pragma once

#include <map>
#include <string>

#include "core/file_system.h"
#include "core/random.h"
#include "state/snapshot_file.h"

namespace millrace {

inline std::string spill_content(const std::string& name) {
  std::string content = name + ":";
  const size_t length = 40 + static_cast<size_t>(name.back() % 7);
  for (size_t i = 0; i < length; ++i) content += static_cast<char>('a' + (i * name.size()) % 26);
  return content;
}

class SpillModel {
 public:
  /// Files live in a directory of the instance, which goes with it.
  SpillModel(FileSystem& disk, uint64_t instance) : disk_(disk), instance_("i" + std::to_string(instance)) {}

  [[nodiscard]] const std::string& instance() const { return instance_; }
  [[nodiscard]] const std::map<std::string, std::string>& files() const { return files_; }  // name -> local path

  Status open() { return disk_.create_directories(directory()); }

  Status grow() {
    std::string name = instance_ + "-" + std::to_string(++last_);
    const std::string path = directory() + "/" + name;
    MR_ASSIGN(const auto file, disk_.create(path));
    MR_TRY(file->append(spill_content(name)));
    MR_TRY(file->close());
    files_[std::move(name)] = path;
    return {};
  }

  void drop(const std::string& name) {
    (void)disk_.remove(files_.at(name));
    files_.erase(name);
  }

  /// As it is behind a frozen snapshot, which keeps the file.
  void forget(const std::string& name) { files_.erase(name); }

  /// Writes the files of this moment later.
  [[nodiscard]] SnapshotPartPtr freeze() const { return std::make_unique<Frozen>(files_); }

  Status snapshot(SnapshotWriter& writer) const { return freeze()->write(writer); }

  /// Takes over what the checkpoint holds. kInternal: a file is not what its name says.
  Status restore(const RestoredState& restored) {
    for (const RestoredStore& store : restored.stores()) {
      for (const RestoredFile& file : store.files) {
        const std::string path = directory() + "/" + file.name;
        MR_TRY(restored.fetch(file, path));
        MR_ASSIGN(const std::string content, disk_.read_all(path));
        if (content != spill_content(file.name)) return make_error(ErrorCode::kInternal, path + " has other content");
        files_[file.name] = path;
      }
    }
    return {};
  }

 private:
  class Frozen final : public SnapshotPart {
   public:
    explicit Frozen(std::map<std::string, std::string> files) : files_(std::move(files)) {}
    Status write(SnapshotWriter& writer) override {
      for (const auto& [name, path] : files_) MR_TRY(writer.add_file(SnapshotFileKind::kShared, name, path));
      return {};
    }

   private:
    std::map<std::string, std::string> files_;
  };

  [[nodiscard]] std::string directory() const { return "/local/" + instance_; }

  FileSystem& disk_;
  std::string instance_;
  int last_ = 0;
  std::map<std::string, std::string> files_;
};

}  // namespace millrace
