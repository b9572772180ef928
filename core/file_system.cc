#include "core/file_system.h"

namespace millrace {

Status write_file_durably(FileSystem& fs, const std::string& path, std::string_view bytes) {
  const std::string temporary = path + ".tmp";
  const auto write = [&]() -> Status {
    MR_ASSIGN(auto file, fs.create(temporary));
    MR_TRY(file->append(bytes));
    MR_TRY(file->sync());
    MR_TRY(file->close());
    return fs.rename(temporary, path);
  };
  if (Status written = write(); !written) {
    (void)fs.remove(temporary);  // gives the space back on a full disk; the first error is the one that matters
    return written;
  }
  return fs.sync_directory(parent_path(path));
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
