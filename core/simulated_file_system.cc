#include "core/simulated_file_system.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <mutex>
#include <set>

namespace millrace {
namespace {

/// A file or directory. What is `durable` survives a crash; the rest is what a running process sees.
struct Inode {
  bool is_directory = false;
  std::string bytes;
  std::string durable_bytes;
  std::map<std::string, std::shared_ptr<Inode>> entries;
  std::map<std::string, std::shared_ptr<Inode>> durable_entries;
};
using InodePtr = std::shared_ptr<Inode>;

std::vector<std::string> path_parts(std::string_view path) {
  std::vector<std::string> parts;
  while (!path.empty()) {
    const size_t slash = std::min(path.find('/'), path.size());
    const std::string_view part = path.substr(0, slash);
    if (!part.empty() && part != ".") parts.emplace_back(part);
    path.remove_prefix(std::min(slash + 1, path.size()));
  }
  return parts;
}

/// Brings a tree back to what the disk holds.
void forget_unsynced(const InodePtr& inode, Random* random, std::set<const Inode*>& seen) {
  if (!seen.insert(inode.get()).second) return;
  const bool appended =
      inode->bytes.size() > inode->durable_bytes.size() && inode->bytes.starts_with(inode->durable_bytes);
  if (random != nullptr && appended) {
    inode->bytes.resize(inode->durable_bytes.size() +
                        random->below(inode->bytes.size() - inode->durable_bytes.size() + 1));
    inode->durable_bytes = inode->bytes;
  } else {
    inode->bytes = inode->durable_bytes;
  }
  inode->entries = inode->durable_entries;
  for (const auto& [name, child] : inode->entries) forget_unsynced(child, random, seen);
}

}  // namespace

struct SimulatedFileSystem::Disk {
  mutable std::mutex mutex;
  InodePtr root = std::make_shared<Inode>(Inode{true, {}, {}, {}, {}});
  uint64_t boots = 0;  // handles of an earlier boot are dead
  std::optional<uint64_t> space_left;
  uint32_t failing_syncs = 0;
  uint64_t sync_calls = 0;

  InodePtr find(const std::string& path) const {
    InodePtr inode = root;
    for (const std::string& part : path_parts(path)) {
      const auto entry = inode->entries.find(part);
      if (entry == inode->entries.end()) return nullptr;
      inode = entry->second;
    }
    return inode;
  }

  /// The directory that holds `path`; its last part in `name`.
  Result<InodePtr> parent_of(const std::string& path, std::string& name) const {
    std::vector<std::string> parts = path_parts(path);
    if (parts.empty()) return errno_error("use", path, EISDIR);
    name = parts.back();
    InodePtr parent = find(parent_path(path));
    if (!parent) return errno_error("open", path, ENOENT);
    if (!parent->is_directory) return errno_error("open", path, ENOTDIR);
    return parent;
  }

  Result<InodePtr> open_for_writing(const std::string& path, bool truncate) {
    std::string name;
    MR_ASSIGN(const InodePtr parent, parent_of(path, name));
    InodePtr& inode = parent->entries[name];
    if (!inode) inode = std::make_shared<Inode>();
    if (inode->is_directory) return errno_error("create", path, EISDIR);
    if (truncate) inode->bytes.clear();
    return inode;
  }

  Status count_sync(const std::string& path) {
    ++sync_calls;
    if (failing_syncs == 0) return {};
    --failing_syncs;
    return errno_error("sync", path, EIO);
  }

  Status move(const std::string& from, const std::string& to, bool replace) {
    std::string from_name;
    std::string to_name;
    MR_ASSIGN(const InodePtr from_parent, parent_of(from, from_name));
    MR_ASSIGN(const InodePtr to_parent, parent_of(to, to_name));
    const auto source = from_parent->entries.find(from_name);
    if (source == from_parent->entries.end()) return errno_error("rename", from, ENOENT);
    const InodePtr moved = source->second;
    if (const auto target = to_parent->entries.find(to_name); target != to_parent->entries.end()) {
      if (!replace) return make_error(ErrorCode::kRefusedByState, "rename " + from + ": " + to + " exists");
      if (target->second == moved) return {};
      if (target->second->is_directory && !moved->is_directory) return errno_error("rename", to, EISDIR);
      if (!target->second->is_directory && moved->is_directory) return errno_error("rename", to, ENOTDIR);
      if (!target->second->entries.empty()) return errno_error("rename", to, ENOTEMPTY);
    }
    from_parent->entries.erase(from_name);
    to_parent->entries[to_name] = moved;
    return {};
  }
};

class SimulatedWritableFile final : public WritableFile {
 public:
  SimulatedWritableFile(std::shared_ptr<SimulatedFileSystem::Disk> disk, InodePtr inode, std::string path)
      : disk_(std::move(disk)), inode_(std::move(inode)), path_(std::move(path)), boot_(disk_->boots) {}

  Status append(std::string_view bytes) override {
    const std::lock_guard lock(disk_->mutex);
    MR_TRY(check_open());
    const bool fits = !disk_->space_left || bytes.size() <= *disk_->space_left;
    if (!fits) bytes = bytes.substr(0, *disk_->space_left);
    inode_->bytes.append(bytes);
    if (disk_->space_left) *disk_->space_left -= bytes.size();
    if (!fits) return errno_error("write", path_, ENOSPC);
    return {};
  }
  Status sync() override {
    const std::lock_guard lock(disk_->mutex);
    MR_TRY(check_open());
    MR_TRY(disk_->count_sync(path_));
    inode_->durable_bytes = inode_->bytes;
    return {};
  }
  Status close() override {
    const std::lock_guard lock(disk_->mutex);
    MR_TRY(check_open());
    open_ = false;
    return {};
  }

 private:
  Status check_open() const {
    if (!open_ || boot_ != disk_->boots) return errno_error("write", path_, EBADF);
    return {};
  }

  std::shared_ptr<SimulatedFileSystem::Disk> disk_;
  InodePtr inode_;
  std::string path_;
  uint64_t boot_;
  bool open_ = true;
};

class SimulatedReadableFile final : public ReadableFile {
 public:
  SimulatedReadableFile(std::shared_ptr<SimulatedFileSystem::Disk> disk, InodePtr inode, std::string path)
      : disk_(std::move(disk)), inode_(std::move(inode)), path_(std::move(path)), boot_(disk_->boots) {}

  Result<size_t> read_at(uint64_t offset, char* into, size_t size) override {
    const std::lock_guard lock(disk_->mutex);
    if (boot_ != disk_->boots) return errno_error("read", path_, EBADF);
    if (offset >= inode_->bytes.size()) return size_t{0};
    const size_t count = std::min<size_t>(size, inode_->bytes.size() - offset);
    std::memcpy(into, inode_->bytes.data() + offset, count);
    return count;
  }
  Result<uint64_t> size() override {
    const std::lock_guard lock(disk_->mutex);
    if (boot_ != disk_->boots) return errno_error("read", path_, EBADF);
    return inode_->bytes.size();
  }

 private:
  std::shared_ptr<SimulatedFileSystem::Disk> disk_;
  InodePtr inode_;
  std::string path_;
  uint64_t boot_;
};

SimulatedFileSystem::SimulatedFileSystem() : disk_(std::make_shared<Disk>()) {}
SimulatedFileSystem::~SimulatedFileSystem() = default;

Result<std::unique_ptr<WritableFile>> SimulatedFileSystem::create(const std::string& path) {
  const std::lock_guard lock(disk_->mutex);
  MR_ASSIGN(InodePtr inode, disk_->open_for_writing(path, true));
  return std::make_unique<SimulatedWritableFile>(disk_, std::move(inode), path);
}

Result<std::unique_ptr<WritableFile>> SimulatedFileSystem::open_append(const std::string& path) {
  const std::lock_guard lock(disk_->mutex);
  MR_ASSIGN(InodePtr inode, disk_->open_for_writing(path, false));
  return std::make_unique<SimulatedWritableFile>(disk_, std::move(inode), path);
}

Result<std::unique_ptr<ReadableFile>> SimulatedFileSystem::open(const std::string& path) {
  const std::lock_guard lock(disk_->mutex);
  InodePtr inode = disk_->find(path);
  if (!inode) return errno_error("open", path, ENOENT);
  if (inode->is_directory) return errno_error("open", path, EISDIR);
  return std::make_unique<SimulatedReadableFile>(disk_, std::move(inode), path);
}

Result<std::string> SimulatedFileSystem::read_all(const std::string& path) {
  const std::lock_guard lock(disk_->mutex);
  const InodePtr inode = disk_->find(path);
  if (!inode) return errno_error("open", path, ENOENT);
  if (inode->is_directory) return errno_error("read", path, EISDIR);
  return inode->bytes;
}

Status SimulatedFileSystem::rename(const std::string& from, const std::string& to) {
  const std::lock_guard lock(disk_->mutex);
  return disk_->move(from, to, true);
}

Status SimulatedFileSystem::rename_no_replace(const std::string& from, const std::string& to) {
  const std::lock_guard lock(disk_->mutex);
  return disk_->move(from, to, false);
}

Status SimulatedFileSystem::sync_directory(const std::string& path) {
  const std::lock_guard lock(disk_->mutex);
  const InodePtr inode = disk_->find(path);
  if (!inode) return errno_error("open directory", path, ENOENT);
  if (!inode->is_directory) return errno_error("open directory", path, ENOTDIR);
  MR_TRY(disk_->count_sync(path));
  inode->durable_entries = inode->entries;
  return {};
}

Status SimulatedFileSystem::create_directories(const std::string& path) {
  const std::lock_guard lock(disk_->mutex);
  InodePtr inode = disk_->root;
  for (const std::string& part : path_parts(path)) {
    InodePtr& child = inode->entries[part];
    if (!child) child = std::make_shared<Inode>(Inode{true, {}, {}, {}, {}});
    if (!child->is_directory) return errno_error("create directory", path, ENOTDIR);
    inode = child;
  }
  return {};
}

Result<std::vector<DirEntry>> SimulatedFileSystem::list(const std::string& path) {
  const std::lock_guard lock(disk_->mutex);
  const InodePtr inode = disk_->find(path);
  if (!inode) return errno_error("list", path, ENOENT);
  if (!inode->is_directory) return errno_error("list", path, ENOTDIR);
  std::vector<DirEntry> entries;
  for (const auto& [name, child] : inode->entries) entries.push_back({name, child->is_directory, child->bytes.size()});
  return entries;
}

Status SimulatedFileSystem::remove(const std::string& path) {
  const std::lock_guard lock(disk_->mutex);
  std::string name;
  MR_ASSIGN(const InodePtr parent, disk_->parent_of(path, name));
  const auto entry = parent->entries.find(name);
  if (entry == parent->entries.end()) return errno_error("remove", path, ENOENT);
  if (!entry->second->entries.empty()) return errno_error("remove", path, ENOTEMPTY);
  parent->entries.erase(entry);
  return {};
}

Status SimulatedFileSystem::remove_all(const std::string& path) {
  const std::lock_guard lock(disk_->mutex);
  std::string name;
  if (!disk_->find(path)) return {};
  MR_ASSIGN(const InodePtr parent, disk_->parent_of(path, name));
  parent->entries.erase(name);
  return {};
}

Status SimulatedFileSystem::truncate(const std::string& path, uint64_t size) {
  const std::lock_guard lock(disk_->mutex);
  const InodePtr inode = disk_->find(path);
  if (!inode) return errno_error("truncate", path, ENOENT);
  if (inode->is_directory) return errno_error("truncate", path, EISDIR);
  inode->bytes.resize(size);
  return {};
}

bool SimulatedFileSystem::exists(const std::string& path) {
  const std::lock_guard lock(disk_->mutex);
  return disk_->find(path) != nullptr;
}

Status SimulatedFileSystem::link(const std::string& from, const std::string& to) {
  const std::lock_guard lock(disk_->mutex);
  const InodePtr inode = disk_->find(from);
  if (!inode || inode->is_directory) return errno_error("link", from, ENOENT);
  std::string name;
  MR_ASSIGN(const InodePtr parent, disk_->parent_of(to, name));
  if (!parent->entries.emplace(name, inode).second) return errno_error("link", to, EEXIST);
  return {};
}

void SimulatedFileSystem::crash() {
  const std::lock_guard lock(disk_->mutex);
  std::set<const Inode*> seen;
  forget_unsynced(disk_->root, nullptr, seen);
  ++disk_->boots;
}

void SimulatedFileSystem::crash(Random& random) {
  const std::lock_guard lock(disk_->mutex);
  std::set<const Inode*> seen;
  forget_unsynced(disk_->root, &random, seen);
  ++disk_->boots;
}

void SimulatedFileSystem::set_space_left(std::optional<uint64_t> bytes) {
  const std::lock_guard lock(disk_->mutex);
  disk_->space_left = bytes;
}

void SimulatedFileSystem::fail_syncs(uint32_t count) {
  const std::lock_guard lock(disk_->mutex);
  disk_->failing_syncs = count;
}

Status SimulatedFileSystem::flip_bit(const std::string& path, uint64_t byte, int bit) {
  const std::lock_guard lock(disk_->mutex);
  const InodePtr inode = disk_->find(path);
  if (!inode || inode->is_directory) return errno_error("open", path, ENOENT);
  if (byte >= inode->bytes.size())
    return make_error(ErrorCode::kBadValue, path + " has no byte " + std::to_string(byte));
  const auto flip = [&](std::string& bytes) {
    if (byte < bytes.size()) bytes[byte] = static_cast<char>(bytes[byte] ^ (1 << bit));
  };
  flip(inode->bytes);
  flip(inode->durable_bytes);
  return {};
}

uint64_t SimulatedFileSystem::sync_calls() const {
  const std::lock_guard lock(disk_->mutex);
  return disk_->sync_calls;
}

}  // namespace millrace
