// What a spill store is to the transport of its files: immutable files under names of one instance, of which some come
// and some go between two checkpoints. A file's content follows from its name, so that any copy can be judged.
#pragma once

#include <map>
#include <string>

#include "core/bytes.h"
#include "core/file_system.h"
#include "core/hash.h"
#include "core/random.h"
#include "state/snapshot_file.h"

namespace millrace {

inline std::string spill_content(const std::string& name) {
  std::string content = name + ":";
  const size_t length = 40 + static_cast<size_t>(name.back() % 7);
  for (size_t i = 0; i < length; ++i) content += static_cast<char>('a' + (i * name.size()) % 26);
  return content;
}

/// The list of a store's states, which is none here: every store has this file.
inline constexpr const char* kSpillStatesFile = "STATES";
inline std::string no_spill_states() {
  ByteWriter out;
  out.put_raw("MRSPILL1");
  out.put(uint32_t{0});  // key groups
  out.put(uint32_t{128});
  out.put_varint(0);
  out.put(crc32c(out.view()));
  return out.take();
}

class SpillModel {
 public:
  /// Files live in a directory of the instance, which goes with it.
  SpillModel(FileSystem& disk, uint64_t instance) : disk_(disk), instance_("i" + std::to_string(instance)) {}

  [[nodiscard]] const std::string& instance() const { return instance_; }
  [[nodiscard]] const std::map<std::string, std::string>& files() const { return files_; }  // name -> local path

  Status open() {
    MR_TRY(disk_.create_directories(directory()));
    MR_ASSIGN(const auto file, disk_.create(states_path()));
    MR_TRY(file->append(no_spill_states()));
    return file->close();
  }

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
  [[nodiscard]] SnapshotPartPtr freeze() const { return std::make_unique<Frozen>(files_, states_path()); }

  Status snapshot(SnapshotWriter& writer) const { return freeze()->write(writer); }

  /// Takes over what the checkpoint holds. kInternal: a file is not what its name says.
  Status restore(const RestoredState& restored) {
    for (const RestoredStore& store : restored.stores()) {
      for (const RestoredFile& file : store.files) {
        if (file.name == kSpillStatesFile) continue;
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
    Frozen(std::map<std::string, std::string> files, std::string states)
        : files_(std::move(files)), states_(std::move(states)) {}
    Status write(SnapshotWriter& writer) override {
      MR_TRY(writer.add_file(SnapshotFileKind::kOwn, kSpillStatesFile, states_));
      for (const auto& [name, path] : files_) MR_TRY(writer.add_file(SnapshotFileKind::kShared, name, path));
      return {};
    }

   private:
    std::map<std::string, std::string> files_;
    std::string states_;
  };

  [[nodiscard]] std::string states_path() const { return directory() + "/" + kSpillStatesFile; }
  [[nodiscard]] std::string directory() const { return "/local/" + instance_; }

  FileSystem& disk_;
  std::string instance_;
  int last_ = 0;
  std::map<std::string, std::string> files_;
};

}  // namespace millrace
