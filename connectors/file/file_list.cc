#include "connectors/file/file_list.h"

#include <glob.h>
#include <sys/stat.h>

#include <algorithm>

#include "core/file_system.h"

namespace millrace {
namespace {

bool is_ignored(const std::string& path) {
  const size_t slash = path.rfind('/');
  const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  return name.empty() || name.front() == '.' || name.front() == '_';
}

bool is_directory(const std::string& path) {
  struct stat info{};
  return ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

Status add_directory(const std::string& path, std::vector<std::string>& files) {
  MR_ASSIGN(auto entries, local_file_system().list(path));
  for (const DirEntry& entry : entries) {
    if (!entry.is_directory && !is_ignored(entry.name)) files.push_back(join_path(path, entry.name));
  }
  return {};
}

Status add_matches(const std::string& path, std::vector<std::string>& files) {
  glob_t found{};
  const int result = ::glob(path.c_str(), GLOB_BRACE | GLOB_NOSORT, nullptr, &found);
  Status status;
  if (result == 0) {
    for (size_t i = 0; i < found.gl_pathc && status; ++i) {
      const std::string match = found.gl_pathv[i];
      if (is_ignored(match)) continue;
      if (is_directory(match)) {
        status = add_directory(match, files);
      } else {
        files.push_back(match);
      }
    }
  } else if (result != GLOB_NOMATCH) {
    status = make_error(ErrorCode::kIo, "cannot read the directories of the pattern " + path);
  }
  ::globfree(&found);
  return status;
}

}  // namespace

std::string plain_path(const std::string& path) {
  constexpr std::string_view kScheme = "file://";
  return path.starts_with(kScheme) ? path.substr(kScheme.size()) : path;
}

bool has_wildcards(const std::string& path) { return path.find_first_of("*?[{") != std::string::npos; }

Result<std::vector<std::string>> list_input_files(const std::string& path) {
  std::vector<std::string> files;
  if (has_wildcards(path)) {
    MR_TRY(add_matches(path, files));
  } else if (is_directory(path)) {
    MR_TRY(add_directory(path, files));
  } else if (local_file_system().exists(path)) {
    files.push_back(path);
  } else {
    return make_error(ErrorCode::kNotFound, "the file " + path + " does not exist");
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace millrace
