#include "jobmanager/catalogue.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/hash.h"
#include "core/log.h"

namespace millrace {

namespace {

using Json = nlohmann::ordered_json;

std::string checksum_of(const Json& fields) {
  return fmt::format("{:08x}", crc32c(fields.dump(-1, ' ', false, Json::error_handler_t::replace)));
}

Json to_json(const CatalogueEntry& entry) {
  return {{"job_id", entry.job_id},
          {"name", entry.name},
          {"directory", entry.directory},
          {"submitted_ms", entry.submitted_ms},
          {"until_done", entry.options.until_done},
          {"allow_dropped_state", entry.options.allow_dropped_state},
          {"republish", entry.options.republish},
          {"accept_lost_progress", entry.options.accept_lost_progress},
          {"ended", entry.ended},
          {"state", static_cast<int>(entry.state)},
          {"ended_ms", entry.ended_ms},
          {"spec", entry.spec}};
}

Result<CatalogueEntry> from_json(const std::string& bytes, const std::string& path) {
  try {
    Json json = Json::parse(bytes);
    const std::string checksum = json.at("crc32c").get<std::string>();
    json.erase("crc32c");
    if (checksum_of(json) != checksum) return make_error(ErrorCode::kCorruptState, path + ": checksum mismatch");
    CatalogueEntry entry;
    entry.job_id = json.at("job_id").get<std::string>();
    entry.name = json.at("name").get<std::string>();
    entry.directory = json.at("directory").get<std::string>();
    entry.spec = json.at("spec").get<std::string>();
    entry.submitted_ms = json.at("submitted_ms").get<int64_t>();
    entry.options.until_done = json.at("until_done").get<bool>();
    entry.options.allow_dropped_state = json.at("allow_dropped_state").get<bool>();
    entry.options.republish = json.at("republish").get<bool>();
    entry.options.accept_lost_progress = json.at("accept_lost_progress").get<bool>();
    entry.ended = json.at("ended").get<bool>();
    entry.state = static_cast<JobState>(json.at("state").get<int>());
    entry.ended_ms = json.at("ended_ms").get<int64_t>();
    return entry;
  } catch (const std::exception& error) {
    return make_error(ErrorCode::kCorruptState, path + ": " + error.what());
  }
}

}  // namespace

Result<Catalogue> Catalogue::open(FileSystem& fs, const std::string& directory) {
  MR_TRY(fs.create_directories(directory));
  return Catalogue(fs, directory);
}

std::string Catalogue::path(const std::string& job_id) const { return join_path(directory_, job_id + ".json"); }

Result<std::vector<CatalogueEntry>> Catalogue::load() {
  MR_ASSIGN(const std::vector<DirEntry> files, fs_->list(directory_));
  std::vector<CatalogueEntry> entries;
  for (const DirEntry& file : files) {
    if (file.is_directory || !file.name.ends_with(".json")) continue;
    const std::string name = join_path(directory_, file.name);
    MR_ASSIGN(const std::string bytes, fs_->read_all(name));
    Result<CatalogueEntry> entry = from_json(bytes, name);
    if (entry) {
      entries.push_back(std::move(*entry));
    } else {
      log_error("a job of the catalogue cannot be read; submit it again to go on from its checkpoints",
                {{"file", name}, {"error", entry.error().message}});
    }
  }
  std::sort(entries.begin(), entries.end(), [](const CatalogueEntry& a, const CatalogueEntry& b) {
    return std::pair(a.submitted_ms, a.job_id) < std::pair(b.submitted_ms, b.job_id);
  });
  return entries;
}

Status Catalogue::save(const CatalogueEntry& entry) {
  Json json = to_json(entry);
  const std::string checksum = checksum_of(json);
  json["crc32c"] = checksum;
  return write_file_durably(*fs_, path(entry.job_id), json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

Status Catalogue::remove(const std::string& job_id) { return fs_->remove(path(job_id)); }

}  // namespace millrace
