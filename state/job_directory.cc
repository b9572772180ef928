#include "state/job_directory.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <climits>

#include "state/checkpoint_store.h"
#include "state/job_record.h"
#include "state/shared_directory.h"

namespace millrace {

namespace {

constexpr std::string_view kRecordEnd = ".json";
constexpr int kRecordReads = 10;

// 0: not the name of a checkpoint directory.
int64_t checkpoint_id_of(std::string_view name) {
  if (!name.starts_with("chk-")) return 0;
  name.remove_prefix(4);
  int64_t id = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), id);
  return error == std::errc() && end == name.data() + name.size() ? id : 0;
}

// On object storage a checkpoint that its owner must not complete any more has an empty _metadata (see sweep()).
Result<bool> is_completed(FileSystem& fs, const std::string& chk_directory) {
  const std::string path = join_path(chk_directory, kMetadataName);
  if (!is_object_path(path)) return fs.contains(path);
  const auto file = fs.open(path);
  if (file) {
    MR_ASSIGN(const uint64_t bytes, (*file)->size());
    return bytes > 0;
  }
  if (file.error().code == ErrorCode::kNotFound) return false;
  return std::unexpected(file.error());
}

}  // namespace

std::string absolute_path(const std::string& path) {
  if (is_object_path(path)) return path.substr(0, path.find_last_not_of('/') + 1);
  std::string whole = path;
  if (!path.starts_with('/')) {
    char here[PATH_MAX];
    if (::getcwd(here, sizeof here) == nullptr) return path;
    whole = join_path(here, path);
  }
  std::string clean;
  for (size_t at = 0; at < whole.size();) {
    const size_t end = std::min(whole.find('/', at), whole.size());
    const std::string_view part = std::string_view(whole).substr(at, end - at);
    if (part == "..") {
      clean.resize(clean.empty() ? 0 : clean.rfind('/'));
    } else if (!part.empty() && part != ".") {
      clean.append("/").append(part);
    }
    at = end + 1;
  }
  return clean.empty() ? "/" : clean;
}

int64_t attempt_of(std::string_view name, std::string_view begin) {
  if (!name.starts_with(begin)) return 0;
  name.remove_prefix(begin.size());
  int64_t attempt = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), attempt);
  if (error != std::errc()) return 0;
  name.remove_prefix(static_cast<size_t>(end - name.data()));
  return begin == kRecordTemporary || name == kRecordEnd ? attempt : 0;
}

Result<int64_t> newest_attempt(FileSystem& fs, const std::string& directory) {
  const auto entries = fs.list(directory);
  if (!entries && entries.error().code == ErrorCode::kNotFound) return 0;
  if (!entries) return std::unexpected(entries.error());
  int64_t newest = 0;
  for (const DirEntry& entry : *entries) newest = std::max(newest, attempt_of(entry.name, kRecordBegin));
  return newest;
}

Result<FoundCheckpoints> find_checkpoints(FileSystem& fs, const std::string& directory) {
  FoundCheckpoints found;
  MR_ASSIGN(const std::vector<DirEntry> entries, fs.list(directory));
  for (const DirEntry& entry : entries) {
    const int64_t id = entry.is_directory ? checkpoint_id_of(entry.name) : 0;
    if (id <= 0) continue;
    MR_ASSIGN(const bool complete, is_completed(fs, join_path(directory, entry.name)));
    (complete ? found.completed : found.unfinished).push_back(id);
    found.greatest = std::max(found.greatest, id);
  }
  std::sort(found.completed.begin(), found.completed.end());
  return found;
}

Result<std::vector<int64_t>> completed_checkpoints(FileSystem& fs, const std::string& directory) {
  MR_ASSIGN(FoundCheckpoints found, find_checkpoints(fs, directory));
  return std::move(found.completed);
}

std::string checkpoint_path(const std::string& directory, int64_t id) {
  return join_path(directory, fmt::format("chk-{}", id));
}

std::string job_record_path(const std::string& directory, int64_t attempt) {
  return join_path(directory, fmt::format("{}{}{}", kRecordBegin, attempt, kRecordEnd));
}

Result<std::optional<JobRecord>> read_job_record(FileSystem& fs, const std::string& directory) {
  for (int tries = 1;; ++tries) {
    MR_ASSIGN(const int64_t attempt, newest_attempt(fs, directory));
    if (attempt == 0) return std::nullopt;
    const std::string path = job_record_path(directory, attempt);
    Result<std::string> bytes = fs.read_all(path);
    const bool gone = !bytes && bytes.error().code == ErrorCode::kNotFound;
    if (gone && tries < kRecordReads) continue;  // a newer one took its place meanwhile
    if (!bytes) return std::unexpected(std::move(bytes).error());
    MR_ASSIGN(JobRecord record, decode_job_record(*bytes, path));
    return record;
  }
}

Result<CheckpointMetadata> read_checkpoint(FileSystem& fs, const std::string& chk_directory) {
  const std::string directory = absolute_path(chk_directory);
  const std::string path = join_path(directory, kMetadataName);
  MR_ASSIGN(const bool completed, is_completed(fs, directory));
  if (!completed) {
    return make_error(ErrorCode::kMissingState, chk_directory + " is not a completed checkpoint (no _metadata in it)",
                      "give the path of a chk-<number> directory or of a savepoint");
  }
  MR_ASSIGN(const std::string bytes, fs.read_all(path));
  MR_ASSIGN(CheckpointMetadata metadata, decode_checkpoint_metadata(bytes, path));
  // Only the last part of a file's name counts, so a copied directory can be restored, whatever it is called. A
  // savepoint has a shared/ of its own.
  std::string shared = shared_directory(directory);
  if (std::ranges::any_of(metadata.handles, [](const SnapshotHandle& handle) { return !handle.shared.empty(); })) {
    MR_ASSIGN(const bool own, fs.contains(shared));
    if (!own) shared = shared_directory(parent_path(directory));
  }
  for (SnapshotHandle& handle : metadata.handles) {
    if (!handle.file.empty()) handle.file = join_path(directory, shared_name(handle.file));
    for (SharedFile& file : handle.own) file.name = join_path(directory, shared_name(file.name));
    for (SharedFile& file : handle.shared) file.name = join_path(shared, shared_name(file.name));
  }
  return metadata;
}

}  // namespace millrace
