#include "state/shared_directory.h"

#include <fmt/format.h>

#include "core/crash_point.h"

namespace millrace {

namespace {
constexpr std::string_view kTemporaryBegin = "tmp-";
}

std::string shared_directory(const std::string& job_directory) { return join_path(job_directory, "shared"); }

std::string shared_name(std::string_view file) { return std::string(file.substr(file.rfind('/') + 1)); }

Status check_shared_name(std::string_view name) {
  const bool bad = name.empty() || name.front() == '.' || name.starts_with(kTemporaryBegin) ||
                   name.find('/') != std::string_view::npos || name.find('\0') != std::string_view::npos;
  if (!bad) return {};
  return make_error(ErrorCode::kBadValue, fmt::format("`{}` cannot be the name of a file of a snapshot", name));
}

std::string shared_temporary_name(std::string_view by, std::string_view name) {
  return fmt::format("{}{}-{}", kTemporaryBegin, by, name);
}

void SharedDirectory::hold(int64_t checkpoint_id, std::span<const SnapshotHandle> handles) {
  std::set<std::string>& names = held_[checkpoint_id];
  for (const SnapshotHandle& handle : handles) {
    for (const SharedFile& file : handle.shared) {
      if (names.insert(shared_name(file.name)).second) ++holders_[shared_name(file.name)];
    }
  }
}

std::vector<std::string> SharedDirectory::release(int64_t checkpoint_id) {
  unread_.erase(checkpoint_id);
  std::vector<std::string> free;
  const auto held = held_.find(checkpoint_id);
  if (held == held_.end()) return free;
  for (const std::string& name : held->second) {
    const auto holders = holders_.find(name);
    if (--holders->second > 0) continue;
    holders_.erase(holders);
    free.push_back(name);
  }
  held_.erase(held);
  if (!unread_.empty()) free.clear();
  return free;
}

Status SharedDirectory::admit(std::span<const SnapshotHandle> handles) {
  std::map<std::string, uint64_t> fresh;
  for (const SnapshotHandle& handle : handles) {
    for (const SharedFile& file : handle.shared) {
      MR_TRY(check_shared_name(file.name));
      if (!holders_.contains(file.name)) fresh[file.name] = file.bytes;
    }
  }
  if (fresh.empty()) return {};
  MR_ASSIGN(const std::vector<DirEntry> entries, fs_.list(path_));
  for (const DirEntry& entry : entries) {
    const auto wanted = fresh.find(entry.name);
    if (wanted != fresh.end() && wanted->second == entry.size) fresh.erase(wanted);
  }
  if (!fresh.empty()) {
    return make_error(ErrorCode::kCheckpointFailed,
                      join_path(path_, fresh.begin()->first) + " is missing or has another size");
  }
  return fs_.sync_directory(path_);
}

std::vector<std::string> SharedDirectory::list() const {
  std::vector<std::string> names;
  auto entries = fs_.list(path_);
  for (size_t i = 0; entries && i < entries->size(); ++i) {
    if (!(*entries)[i].is_directory) names.push_back(std::move((*entries)[i].name));
  }
  return names;
}

std::vector<std::string> SharedDirectory::unheld(std::vector<std::string> names) const {
  if (!unread_.empty()) return {};
  std::erase_if(names, [this](const std::string& name) { return holders_.contains(name); });
  return names;
}

void SharedDirectory::remove(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    crash_point("shared.remove");
    (void)fs_.remove(join_path(path_, name));
  }
}

}  // namespace millrace
