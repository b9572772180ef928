#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "core/file_copy.h"
#include "state/restored_stores.h"
#include "state/shared_directory.h"
#include "state/snapshot_file.h"
#include "state/snapshot_format.h"

namespace millrace {

namespace {

std::unexpected<Error> snapshot_damage(const std::string& path, std::string_view what) {
  return make_error(ErrorCode::kCorruptState, fmt::format("{}: {}", path, what),
                    "restore an older checkpoint with --restore, or start with --fresh");
}

// One file, its index in memory. read_at is positional, so readers on several threads share it.
struct SnapshotFile {
  std::string path;
  std::unique_ptr<ReadableFile> file;
  std::vector<SnapshotSection> sections;
  std::vector<RestoredFile> packed;

  Status read(uint64_t offset, std::string& into) const {
    size_t got = 0;
    while (got < into.size()) {
      MR_ASSIGN(const size_t n, file->read_at(offset + got, into.data() + got, into.size() - got));
      if (n == 0) return snapshot_damage(path, "the file ends early");
      got += n;
    }
    return {};
  }

  /// Answers the format's version.
  Result<uint32_t> check_header(uint32_t max_parallelism) const {
    std::string header(kSnapshotHeaderBytes, '\0');
    MR_TRY(read(0, header));
    ByteReader in(header);
    const bool magic = in.get_raw(8) == kSnapshotMagic;
    const auto version = in.get<uint32_t>();
    const auto key_format = in.get<uint32_t>();
    const auto groups = in.get<uint32_t>();
    const auto crc = in.get<uint32_t>();
    if (!magic || crc != crc32c(std::string_view(header).substr(0, kSnapshotHeaderBytes - 4))) {
      return snapshot_damage(path, "the header is damaged");
    }
    if (version == 0 || version > kSnapshotFormatVersion || key_format != kSnapshotKeyFormat) {
      return make_error(ErrorCode::kIncompatibleState,
                        fmt::format("{}: format version {} with key format {}; this build reads up to {} and {}", path,
                                    version, key_format, kSnapshotFormatVersion, kSnapshotKeyFormat));
    }
    if (groups != max_parallelism) {
      return make_error(
          ErrorCode::kIncompatibleState,
          fmt::format("{}: written with max_parallelism {}, the job has {}", path, groups, max_parallelism),
          fmt::format("set settings.max_parallelism to {}; it is fixed for the life of the state", groups));
    }
    return version;
  }

  Status load(const SnapshotHandle& handle, uint32_t max_parallelism) {
    MR_ASSIGN(const uint64_t size, file->size());
    if (size != handle.bytes) {
      return snapshot_damage(path, fmt::format("{} bytes instead of {}", size, handle.bytes));
    }
    if (size < kSnapshotHeaderBytes + kSnapshotTailBytes) return snapshot_damage(path, "too short for a snapshot");
    std::string tail(kSnapshotTailBytes, '\0');
    MR_TRY(read(size - kSnapshotTailBytes, tail));
    ByteReader in(tail);
    const auto footer_offset = in.get<uint64_t>();
    const auto footer_bytes = in.get<uint32_t>();
    const auto crc = in.get<uint32_t>();
    if (in.get_raw(8) != kSnapshotEndMagic || crc != handle.crc || footer_offset > size ||
        footer_offset + footer_bytes + kSnapshotTailBytes != size) {
      return snapshot_damage(path, "the end of the file is damaged");
    }
    std::string footer(footer_bytes, '\0');
    MR_TRY(read(footer_offset, footer));
    if (crc32c(footer) != crc) return snapshot_damage(path, "the index is damaged");
    MR_ASSIGN(const uint32_t version, check_header(max_parallelism));
    SnapshotFooter index;
    if (!decode_snapshot_footer(footer, version, index)) return snapshot_damage(path, "the index is damaged");
    sections = std::move(index.sections);
    for (const PackedFile& one : index.packed) MR_TRY(unpack(one, footer_offset));
    return {};
  }

  Status unpack(const PackedFile& one, uint64_t end) {
    if (one.bytes > kPackedFileBytesMax || one.offset > end || one.bytes > end - one.offset) {
      return snapshot_damage(path, "the index is damaged");
    }
    RestoredFile& unpacked = packed.emplace_back();
    unpacked.name = one.name;
    unpacked.bytes = one.bytes;
    unpacked.checksum = one.checksum;
    unpacked.content.resize(one.bytes);
    MR_TRY(read(one.offset, unpacked.content));
    if (hash64(unpacked.content) == one.checksum) return {};
    return snapshot_damage(path, fmt::format("checksum mismatch in the packed file {}", one.name));
  }

  Status read_block(const SnapshotBlock& block, std::string& buffer) const {
    buffer.resize(kSnapshotBlockHeaderBytes + block.bytes);
    MR_TRY(read(block.offset, buffer));
    ByteReader in(buffer);
    const auto bytes = in.get<uint32_t>();
    const auto crc = in.get<uint32_t>();
    const std::string_view payload = std::string_view(buffer).substr(kSnapshotBlockHeaderBytes);
    if (bytes != block.bytes || crc != snapshot_block_crc(bytes, payload)) {
      return snapshot_damage(path, fmt::format("checksum mismatch in the block at byte {}", block.offset));
    }
    return {};
  }

  // Rows of groups for which `wanted` holds.
  template <class Wanted>
  Status visit_rows(const SnapshotSection& section, const Wanted& wanted, KeyGroupRange range,
                    const RestoredState::RowVisitor& visitor) const {
    std::string buffer;
    for (const SnapshotBlock& block : section.blocks) {
      if (block.last_group < range.first || block.first_group >= range.last) continue;
      MR_TRY(read_block(block, buffer));
      ByteReader in(std::string_view(buffer).substr(kSnapshotBlockHeaderBytes));
      while (in.left() > 0) {
        const auto group = static_cast<uint32_t>(in.get_varint());
        const std::string_view key = in.get_string();
        const std::string_view value = in.get_string();
        if (!in.ok()) return snapshot_damage(path, fmt::format("bad row in the block at byte {}", block.offset));
        if (wanted(group)) MR_TRY(visitor(group, key, value));
      }
    }
    return {};
  }
};

constexpr KeyGroupRange kAllSnapshotGroups{0, 0xffffffffu};

}  // namespace

struct RestoredSnapshots::Impl {
  FileSystem& fs;
  FileSystem& local;
  std::string directory;
  std::vector<SnapshotFile> files{};
  std::vector<RestoredStore> stores{};
  std::set<std::string> shared_paths{};
  std::unique_ptr<RestoredStores> spilled{};  // rows in `stores`
  std::vector<SnapshotStateInfo> spilled_states{};

  /// The files of a task's spill store; `packed` is what its own file holds of them.
  void add_store(const SnapshotHandle& handle, std::vector<RestoredFile> packed) {
    RestoredStore store{handle.task, std::move(packed)};
    const std::string stem = shared_name(handle.file.substr(0, handle.file.rfind('.'))) + ".";
    for (const SharedFile& file : handle.own) {
      std::string name = shared_name(file.name);
      if (name.starts_with(stem)) name.erase(0, stem.size());
      store.files.push_back({std::move(name), absolute(file.name), "", file.bytes, file.checksum});
    }
    for (const SharedFile& file : handle.shared) {
      const std::string path = file.name.contains('/') ? file.name : join_path(shared_directory(directory), file.name);
      store.files.push_back({shared_name(file.name), path, "", file.bytes, file.checksum});
      shared_paths.insert(path);
    }
    if (!store.files.empty()) stores.push_back(std::move(store));
  }

  [[nodiscard]] std::string absolute(const std::string& file) const {
    return file.starts_with('/') || is_object_path(file) ? file : join_path(directory, file);
  }

  static Status compare(const RestoredFile& file, const FileDigest& found) {
    if (found.bytes != file.bytes) return wrong_size(file, found.bytes);
    if (found.checksum != file.checksum) return snapshot_damage(file.path, "checksum mismatch");
    return {};
  }

  /// Files of spill stores with their checksums: names the first that is damaged.
  [[nodiscard]] Status compare_files() const {
    std::set<std::string_view> seen;  // after a rescale several tasks share a file
    for (const RestoredStore& store : stores) {
      for (const RestoredFile& file : store.files) {
        if (file.path.empty() || !seen.insert(file.path).second) continue;
        const Result<FileDigest> found = digest_file(fs, file.path);
        if (!found) return missing_or(found.error(), file.path);
        MR_TRY(compare(file, *found));
      }
    }
    return {};
  }

  static std::unexpected<Error> wrong_size(const RestoredFile& file, uint64_t bytes) {
    return snapshot_damage(file.path, fmt::format("{} bytes instead of {}", bytes, file.bytes));
  }

  static std::unexpected<Error> missing_or(const Error& error, const std::string& path) {
    if (error.code == ErrorCode::kNotFound) return snapshot_damage(path, "the file is missing");
    return std::unexpected(error);
  }
};

RestoredSnapshots::RestoredSnapshots(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
RestoredSnapshots::~RestoredSnapshots() = default;

Result<std::shared_ptr<const RestoredSnapshots>> RestoredSnapshots::open(FileSystem& fs,
                                                                         const std::string& job_directory,
                                                                         std::span<const SnapshotHandle> handles,
                                                                         uint32_t max_parallelism, FileSystem& local) {
  std::unique_ptr<Impl> impl(new Impl{fs, local, job_directory});
  for (const SnapshotHandle& handle : handles) {
    if (handle.file.empty()) continue;
    SnapshotFile file;
    file.path = impl->absolute(handle.file);
    auto opened = fs.open(file.path);
    if (!opened) return Impl::missing_or(opened.error(), file.path);
    file.file = std::move(*opened);
    MR_TRY(file.load(handle, max_parallelism));
    impl->add_store(handle, std::move(file.packed));
    impl->files.push_back(std::move(file));
  }
  std::shared_ptr<RestoredSnapshots> opened(new RestoredSnapshots(std::move(impl)));
  if (opened->impl_->stores.empty()) return opened;
  opened->impl_->spilled = std::make_unique<RestoredStores>(*opened);
  MR_ASSIGN(opened->impl_->spilled_states, opened->impl_->spilled->states());
  return opened;
}

Status RestoredSnapshots::visit(const StateDescriptor& expected, KeyGroupRange groups, uint32_t subtask,
                                uint32_t parallelism, const RowVisitor& visitor) const {
  for (const SnapshotFile& file : impl_->files) {
    for (const SnapshotSection& section : file.sections) {
      const StateDescriptor& found = section.state;
      if (found.step != expected.step || found.name != expected.name) continue;
      if (found.kind != expected.kind || found.layout != expected.layout) {
        return make_error(ErrorCode::kIncompatibleState,
                          fmt::format("state `{}` of step `{}` was saved as `{}`, the job needs `{}`", found.name,
                                      found.step, found.layout, expected.layout),
                          "undo the change, or start with --fresh");
      }
      switch (found.kind) {
        case StateKind::kKeyed:
          MR_TRY(file.visit_rows(section, [&](uint32_t group) { return groups.contains(group); }, groups, visitor));
          break;
        case StateKind::kSplit:
          MR_TRY(file.visit_rows(section, [](uint32_t) { return true; }, kAllSnapshotGroups, visitor));
          break;
        case StateKind::kSubtask:
          MR_TRY(file.visit_rows(
              section, [&](uint32_t group) { return group % parallelism == subtask; }, kAllSnapshotGroups, visitor));
          break;
      }
    }
  }
  if (!impl_->spilled) return {};
  Status visited = impl_->spilled->visit(expected, groups, visitor);
  // RocksDB noticed it in its own words, in a directory that is gone by the time somebody looks.
  if (!visited && visited.error().code == ErrorCode::kCorruptState) MR_TRY(impl_->compare_files());
  return visited;
}

std::vector<SnapshotStateInfo> RestoredSnapshots::states() const {
  std::map<std::pair<std::string, std::string>, SnapshotStateInfo> found;
  for (const SnapshotFile& file : impl_->files) {
    for (const SnapshotSection& section : file.sections) {
      SnapshotStateInfo& info = found[{section.state.step, section.state.name}];
      info.state = section.state;
      info.rows += section.rows;
      for (const SnapshotBlock& block : section.blocks) info.bytes += block.bytes;
    }
  }
  for (const SnapshotStateInfo& spilled : impl_->spilled_states) {
    SnapshotStateInfo& info = found[{spilled.state.step, spilled.state.name}];
    info.state = spilled.state;
    info.rows += spilled.rows;
    info.bytes += spilled.bytes;
  }
  std::vector<SnapshotStateInfo> out;
  for (auto& [name, info] : found) out.push_back(std::move(info));
  return out;
}

Status RestoredSnapshots::verify() const {
  const RowVisitor nothing = [](uint32_t, std::string_view, std::string_view) { return Status{}; };
  for (const SnapshotFile& file : impl_->files) {
    for (const SnapshotSection& section : file.sections) {
      MR_TRY(file.visit_rows(section, [](uint32_t) { return true; }, kAllSnapshotGroups, nothing));
    }
  }
  return impl_->compare_files();
}

std::vector<RestoredStore> RestoredSnapshots::stores() const { return impl_->stores; }

Status RestoredSnapshots::fetch(const RestoredFile& file, const std::string& to) const {
  const Impl& self = *impl_;
  // Never written over: it may be a second name of a file that checkpoints hold.
  if (self.local.exists(to)) MR_TRY(self.local.remove(to));
  if (file.path.empty()) {
    MR_ASSIGN(const auto out, self.local.create(to));
    MR_TRY(out->append(file.content));
    return out->close();
  }
  const Result<uint64_t> bytes = file_size(self.fs, file.path);
  if (!bytes) return Impl::missing_or(bytes.error(), file.path);
  if (*bytes != file.bytes) return Impl::wrong_size(file, *bytes);
  // Only what nobody writes to any more may have two names.
  if (self.shared_paths.contains(file.path) && self.fs.link(file.path, to)) return {};
  MR_ASSIGN(const FileDigest copied, copy_file(self.fs, file.path, self.local, to, CopySync::kNo));
  return Impl::compare(file, copied);
}

}  // namespace millrace
