#include "core/file_system.h"

namespace millrace {

Result<std::vector<DirEntry>> FileSystem::list_prefix(const std::string& path, std::string_view begin) {
  MR_ASSIGN(std::vector<DirEntry> entries, list(path));
  std::erase_if(entries, [begin](const DirEntry& entry) { return !entry.name.starts_with(begin); });
  return entries;
}

Status FileSystem::publish(WritableFile& file, const std::string& from, const std::string& to, IfTaken if_taken,
                           EntryDurability entry) {
  MR_TRY(file.sync());
  MR_TRY(file.close());
  MR_TRY(if_taken == IfTaken::kRefuse ? rename_no_replace(from, to) : rename(from, to));
  return entry == EntryDurability::kNow ? sync_directory(parent_path(to)) : Status{};
}

bool is_object_path(std::string_view path) { return path.starts_with("s3://"); }

Status FileSystem::link(const std::string& from, const std::string& to) {
  return make_error(ErrorCode::kNotSupportedYet, from + " cannot be linked as " + to);
}

Status write_file_durably(FileSystem& fs, const std::string& path, std::string_view bytes) {
  const std::string temporary = path + ".tmp";
  const auto write = [&]() -> Status {
    MR_ASSIGN(auto file, fs.create(temporary));
    MR_TRY(file->append(bytes));
    return fs.publish(*file, temporary, path, IfTaken::kReplace, EntryDurability::kNow);
  };
  Status written = write();
  // Gives the space back on a full disk; the first error is the one that matters.
  if (!written && !is_object_path(path)) (void)fs.remove(temporary);
  return written;
}

std::string join_path(std::string_view directory, std::string_view name) {
  std::string path(directory);
  if (!path.empty() && path.back() != '/') path += '/';
  path += name;
  return path;
}

std::string parent_path(std::string_view path) {
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  const size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return ".";
  if (slash == 0) return "/";
  return std::string(path.substr(0, slash));
}

}  // namespace millrace
