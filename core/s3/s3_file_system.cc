#include "core/s3/s3_file_system.h"

#include <algorithm>

#include "core/s3/objects.h"
#include "core/s3/s3_file.h"

namespace millrace {

namespace {

std::unexpected<Error> no_growing(const std::string& path) {
  return make_error(ErrorCode::kNotSupportedYet, path + ": objects on S3 cannot grow or shrink",
                    "use `delivery: exactly_once`, which writes a new file per checkpoint, or a local path");
}

}  // namespace

Result<std::unique_ptr<WritableFile>> S3FileSystem::create(const std::string& path) {
  MR_ASSIGN(S3Path parsed, parse_s3_path(path));
  return std::make_unique<S3WritableFile>(*client_, std::move(parsed));
}

Result<std::unique_ptr<WritableFile>> S3FileSystem::open_append(const std::string& path) { return no_growing(path); }
Status S3FileSystem::truncate(const std::string& path, uint64_t /*size*/) { return no_growing(path); }

Result<std::unique_ptr<ReadableFile>> S3FileSystem::open(const std::string& path) {
  MR_ASSIGN(S3Path parsed, parse_s3_path(path));
  return S3ReadableFile::open(*client_, std::move(parsed));
}

Result<std::string> S3FileSystem::read_all(const std::string& path) {
  MR_ASSIGN(const S3Path parsed, parse_s3_path(path));
  return s3_get(*client_, parsed);
}

Status S3FileSystem::rename(const std::string& from, const std::string& to) {
  MR_ASSIGN(const S3Path source, parse_s3_path(from));
  MR_ASSIGN(const S3Path target, parse_s3_path(to));
  MR_ASSIGN(const std::optional<uint64_t> file, s3_size(*client_, source));
  if (file) {
    MR_TRY(s3_copy(*client_, source, target));
    return s3_remove(*client_, source);
  }
  MR_ASSIGN(const auto below, s3_list(*client_, source.bucket, source.children(), true));
  if (below.empty()) return make_error(ErrorCode::kNotFound, from + ": S3 has no such object");
  // All copies before the first removal: a crash in between leaves both.
  std::vector<std::string> keys;
  for (const S3ListEntry& entry : below) {
    const std::string rest = entry.key.substr(source.children().size());
    MR_TRY(s3_copy(*client_, {source.bucket, entry.key}, {target.bucket, target.children() + rest}));
    keys.push_back(entry.key);
  }
  return s3_remove_all(*client_, source.bucket, keys);
}

Status S3FileSystem::rename_no_replace(const std::string& from, const std::string& to) {
  MR_ASSIGN(const bool taken, contains(to));
  if (taken) return make_error(ErrorCode::kRefusedByState, "rename " + from + ": " + to + " exists");
  return rename(from, to);
}

Status S3FileSystem::sync_directory(const std::string& /*path*/) { return {}; }

Status S3FileSystem::create_directories(const std::string& path) {
  MR_TRY(parse_s3_path(path));
  return {};
}

Result<std::vector<DirEntry>> S3FileSystem::list(const std::string& path) { return list_prefix(path, ""); }

Result<std::vector<DirEntry>> S3FileSystem::list_prefix(const std::string& path, std::string_view begin) {
  MR_ASSIGN(const S3Path parsed, parse_s3_path(path));
  const std::string children = parsed.children();
  MR_ASSIGN(const auto found, s3_list(*client_, parsed.bucket, children + std::string(begin), false));
  std::vector<DirEntry> entries;
  for (const S3ListEntry& one : found) {
    std::string name = one.key.substr(std::min(children.size(), one.key.size()));
    const bool directory = name.ends_with('/');
    if (directory) name.pop_back();
    if (!name.empty()) entries.push_back({std::move(name), directory, one.bytes});
  }
  std::ranges::sort(entries, {}, &DirEntry::name);
  return entries;
}

Status S3FileSystem::remove(const std::string& path) {
  MR_ASSIGN(const S3Path parsed, parse_s3_path(path));
  return s3_remove(*client_, parsed);
}

Status S3FileSystem::remove_all(const std::string& path) {
  MR_ASSIGN(const S3Path parsed, parse_s3_path(path));
  if (parsed.key.empty()) return make_error(ErrorCode::kBadValue, path + ": a whole bucket is never emptied");
  MR_ASSIGN(const auto below, s3_list(*client_, parsed.bucket, parsed.children(), true));
  std::vector<std::string> keys;
  for (const S3ListEntry& entry : below) keys.push_back(entry.key);
  MR_TRY(s3_remove_all(*client_, parsed.bucket, keys));
  return s3_remove(*client_, parsed);
}

Result<bool> S3FileSystem::contains(const std::string& path) {
  MR_ASSIGN(const S3Path parsed, parse_s3_path(path));
  if (!parsed.key.empty()) {
    MR_ASSIGN(const std::optional<uint64_t> size, s3_size(*client_, parsed));
    if (size) return true;
  }
  MR_ASSIGN(const auto below, s3_list(*client_, parsed.bucket, parsed.children(), true, 1));
  return !below.empty();
}

Status S3FileSystem::publish(WritableFile& file, const std::string& /*from*/, const std::string& to, IfTaken if_taken,
                             EntryDurability /*entry*/) {
  MR_ASSIGN(const S3Path parsed, parse_s3_path(to));
  auto* spooled = dynamic_cast<S3WritableFile*>(&file);
  if (spooled == nullptr) return make_error(ErrorCode::kInternal, to + ": published from another storage");
  if (if_taken == IfTaken::kRefuse) MR_TRY(check_conditional_writes(parsed));
  return spooled->publish(parsed, if_taken);
}

Status S3FileSystem::check_conditional_writes(const S3Path& path) {
  {
    const std::lock_guard lock(mutex_);
    if (checked_.contains(path.bucket)) return {};
  }
  MR_TRY(s3_check_conditional_writes(*client_, path));
  const std::lock_guard lock(mutex_);
  checked_.insert(path.bucket);
  return {};
}

}  // namespace millrace
