#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <functional>

#include "core/file_copy.h"
#include "state/shared_directory.h"
#include "state/snapshot_file.h"
#include "state/snapshot_format.h"

namespace millrace {

std::string snapshot_file_name(int64_t checkpoint_id, int64_t attempt, TaskId task) {
  return fmt::format("chk-{}/{}-{}-{}.state", checkpoint_id, task.chain, task.subtask, attempt);
}

namespace {

// Rows of one state until they are sorted. Bytes live in chunks, so that growing never copies them.
class SnapshotRowBuffer {
 public:
  struct Row {
    const char* bytes;   // key, then value
    uint64_t prefix[2];  // the key's first 16 bytes, so that few comparisons touch `bytes`
    uint32_t key_bytes;
    uint32_t value_bytes;
    [[nodiscard]] std::string_view key() const { return {bytes, key_bytes}; }
    [[nodiscard]] std::string_view value() const { return {bytes + key_bytes, value_bytes}; }
    bool operator<(const Row& other) const {
      if (prefix[0] != other.prefix[0]) return prefix[0] < other.prefix[0];
      if (prefix[1] != other.prefix[1]) return prefix[1] < other.prefix[1];
      return key() < other.key();
    }
  };

  void add(uint32_t group, std::string_view key, std::string_view value) {
    char* into = reserve(key.size() + value.size());
    if (!key.empty()) std::memcpy(into, key.data(), key.size());
    if (!value.empty()) std::memcpy(into + key.size(), value.data(), value.size());
    if (group >= groups_.size()) groups_.resize(group + 1);
    Row row{into, {0, 0}, static_cast<uint32_t>(key.size()), static_cast<uint32_t>(value.size())};
    std::memcpy(row.prefix, into, std::min(key.size(), sizeof row.prefix));
    for (uint64_t& word : row.prefix) word = std::byteswap(word);  // bytes in memory order compare as one number
    groups_[group].push_back(row);
  }

  [[nodiscard]] uint32_t groups() const { return static_cast<uint32_t>(groups_.size()); }
  const std::vector<Row>& sorted(uint32_t group) {
    std::ranges::stable_sort(groups_[group], std::less<>());
    return groups_[group];
  }

  void clear() {
    groups_.clear();
    chunks_.clear();
    at_ = nullptr;
    left_ = 0;
  }

 private:
  char* reserve(size_t bytes) {
    if (bytes > left_) {
      const size_t size = std::max<size_t>(bytes, kChunkBytes);
      chunks_.push_back(std::make_unique_for_overwrite<char[]>(size));
      at_ = chunks_.back().get();
      left_ = size;
    }
    char* result = at_;
    at_ += bytes;
    left_ -= bytes;
    return result;
  }

  static constexpr size_t kChunkBytes = 256 * 1024;
  std::vector<std::vector<Row>> groups_;
  std::vector<std::unique_ptr<char[]>> chunks_;
  char* at_ = nullptr;
  size_t left_ = 0;
};

}  // namespace

struct SnapshotFileWriter::Impl {
  FileSystem& fs;
  std::string directory;
  std::string file;
  uint32_t max_parallelism;
  FileSystem& local;
  SharedUploads* uploads;
  std::unique_ptr<SharedUploads> private_uploads{};
  std::unique_ptr<WritableFile> out{};
  uint64_t offset = 0;
  SnapshotFooter footer{};
  SnapshotHandle handle{};
  std::vector<std::string> file_names{};
  SnapshotRowBuffer rows{};
  ByteWriter block{};
  SnapshotBlock entry{};

  [[nodiscard]] std::string path() const { return join_path(directory, file); }

  Status write(std::string_view bytes) {
    MR_TRY(out->append(bytes));
    offset += bytes.size();
    return {};
  }

  Status create() {
    if (out) return {};
    MR_TRY(fs.create_directories(parent_path(path())));
    MR_ASSIGN(out, fs.create(path()));
    return write(encode_snapshot_header(max_parallelism));
  }

  Status flush_block() {
    if (block.size() == 0) return {};
    entry.offset = offset;
    entry.bytes = static_cast<uint32_t>(block.size());
    ByteWriter header;
    header.put(entry.bytes);
    header.put(snapshot_block_crc(entry.bytes, block.view()));
    MR_TRY(write(header.view()));
    MR_TRY(write(block.view()));
    footer.sections.back().blocks.push_back(entry);
    block.clear();
    return {};
  }

  Status flush_section() {
    if (footer.sections.empty()) return {};
    constexpr size_t kAhead = 16;  // sorted rows lie anywhere: ask for their bytes in time
    for (uint32_t group = 0; group < rows.groups(); ++group) {
      const auto& sorted = rows.sorted(group);
      for (size_t i = 0; i < sorted.size(); ++i) {
        if (i + kAhead < sorted.size()) __builtin_prefetch(sorted[i + kAhead].bytes);
        const auto& row = sorted[i];
        if (block.size() == 0) entry.first_group = group;
        entry.last_group = group;
        block.put_varint(group);
        block.put_string(row.key());
        block.put_string(row.value());
        if (block.size() >= kSnapshotBlockBytes) MR_TRY(flush_block());
      }
    }
    rows.clear();
    return flush_block();
  }

  /// The task's file without its ending: what stands beside it begins with that.
  [[nodiscard]] std::string stem() const { return file.substr(0, file.rfind('.')); }

  Status pack(const std::string& name, const std::string& path) {
    MR_ASSIGN(const std::string content, local.read_all(path));
    footer.packed.push_back({name, offset, content.size(), hash64(content)});
    return write(content);
  }

  Status put_beside(const std::string& name, const std::string& path) {
    const std::string beside = stem() + "." + name;
    MR_ASSIGN(const FileDigest digest, copy_file(local, path, fs, join_path(directory, beside), CopySync::kYes));
    handle.own.push_back({beside, digest.bytes, digest.checksum});
    handle.written += digest.bytes;
    return {};
  }

  Status share(const std::string& name, const std::string& path) {
    MR_ASSIGN(const SharedUploads::Upload upload, uploads->upload(name, path, shared_name(stem())));
    handle.shared.push_back(upload.file);
    handle.written += upload.written;
    return {};
  }
};

SnapshotFileWriter::SnapshotFileWriter(FileSystem& fs, std::string job_directory, std::string file,
                                       uint32_t max_parallelism, SharedUploads* uploads, FileSystem& local)
    : impl_(new Impl{fs, std::move(job_directory), std::move(file), max_parallelism, local, uploads}) {
  if (uploads == nullptr) {
    impl_->private_uploads = std::make_unique<SharedUploads>(fs, local, impl_->directory);
    impl_->uploads = impl_->private_uploads.get();
  }
}

SnapshotFileWriter::~SnapshotFileWriter() = default;

Status SnapshotFileWriter::begin(const StateDescriptor& state) {
  Impl& self = *impl_;
  for (const SnapshotSection& section : self.footer.sections) {
    MR_CHECK(section.state.step != state.step || section.state.name != state.name,
             state.step + "." + state.name + " begun twice");
  }
  MR_TRY(self.create());
  MR_TRY(self.flush_section());
  self.footer.sections.push_back({state, 0, {}});
  return {};
}

Status SnapshotFileWriter::add(uint32_t group, std::string_view key, std::string_view value) {
  Impl& self = *impl_;
  MR_CHECK(!self.footer.sections.empty(), "a row before begin()");
  constexpr size_t kRowBytesMax = 1u << 30;
  if (key.size() + value.size() > kRowBytesMax) {
    const StateDescriptor& state = self.footer.sections.back().state;
    return make_error(ErrorCode::kCheckpointFailed, fmt::format("a row of state `{}.{}` has {} bytes, more than 1 GiB",
                                                                state.step, state.name, key.size() + value.size()));
  }
  self.rows.add(group, key, value);
  ++self.footer.sections.back().rows;
  return {};
}

Status SnapshotFileWriter::add_file(SnapshotFileKind kind, const std::string& name, const std::string& path) {
  Impl& self = *impl_;
  MR_TRY(check_shared_name(name));
  MR_CHECK(std::ranges::find(self.file_names, name) == self.file_names.end(), "the file " + name + " added twice");
  self.file_names.push_back(name);
  MR_TRY(self.create());
  if (kind == SnapshotFileKind::kShared) return self.share(name, path);
  MR_ASSIGN(const uint64_t bytes, file_size(self.local, path));
  return bytes <= kPackedFileBytesMax ? self.pack(name, path) : self.put_beside(name, path);
}

Result<SnapshotHandle> SnapshotFileWriter::finish(TaskId task) {
  Impl& self = *impl_;
  SnapshotHandle handle = std::move(self.handle);
  handle.task = task;
  if (!self.out) return handle;
  MR_TRY(self.flush_section());
  const std::string footer = encode_snapshot_footer(self.footer);
  const uint32_t crc = crc32c(footer);
  ByteWriter tail;
  tail.put(self.offset);
  tail.put(static_cast<uint32_t>(footer.size()));
  tail.put(crc);
  tail.put_raw(kSnapshotEndMagic);
  MR_TRY(self.write(footer));
  MR_TRY(self.write(tail.view()));
  MR_TRY(self.out->sync());
  MR_TRY(self.out->close());
  self.out.reset();
  handle.file = self.file;
  handle.bytes = self.offset;
  handle.crc = crc;
  handle.written += self.offset;
  return handle;
}

}  // namespace millrace
