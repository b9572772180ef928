#include "state/job_record.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/bytes.h"
#include "core/hash.h"
#include "state/shared_directory.h"

namespace millrace {

namespace {

using Json = nlohmann::ordered_json;

std::string job_record_checksum(const Json& fields) {
  return fmt::format("{:08x}", crc32c(fields.dump(-1, ' ', false, Json::error_handler_t::replace)));
}

std::unexpected<Error> damaged_record(const std::string& path, std::string_view what) {
  return make_error(ErrorCode::kCorruptState, fmt::format("{}: {}", path, what),
                    "start with --restore and one of the chk directories beside it, or with --fresh");
}

constexpr std::string_view kMetadataMagic = "MRCHECK\n";
constexpr uint32_t kMetadataVersion = 2;  // 1: the same without files of spill stores
constexpr uint8_t kMetadataFinal = 1;
constexpr uint8_t kMetadataUnaligned = 2;

void put_files(ByteWriter& out, const std::vector<SharedFile>& files) {
  out.put_varint(files.size());
  for (const SharedFile& file : files) {
    out.put_string(file.name);
    out.put_varint(file.bytes);
    out.put(file.checksum);
  }
}

/// False: a name that leads out of its directory.
bool get_files(ByteReader& in, std::vector<SharedFile>& files) {
  const uint64_t count = in.get_varint();
  for (uint64_t i = 0; i < count && in.ok(); ++i) {
    SharedFile file;
    file.name = in.get_string();
    file.bytes = in.get_varint();
    file.checksum = in.get<uint64_t>();
    if (in.ok() && !check_shared_name(shared_name(file.name))) return false;
    files.push_back(std::move(file));
  }
  return true;
}

}  // namespace

std::string encode_job_record(const JobRecord& record) {
  Json json;
  json["name"] = record.name;
  json["job_id"] = record.job_id.to_string();
  json["attempt"] = record.attempt;
  json["incarnation"] = record.incarnation;
  json["status"] = job_status_name(record.status);
  json["max_parallelism"] = record.max_parallelism;
  json["next_checkpoint_id"] = record.next_checkpoint_id;
  json["first_checkpoint_id"] = record.first_checkpoint_id;
  json["restored_from"] = record.restored_from;
  json["spec"] = record.spec;
  if (!record.checkpoint_changes.empty()) json["checkpoint_changes"] = record.checkpoint_changes;
  const std::string checksum = job_record_checksum(json);
  json["crc32c"] = checksum;
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<JobRecord> decode_job_record(std::string_view bytes, const std::string& path) {
  Json json = Json::parse(bytes, nullptr, false);
  if (!json.is_object() || !json.contains("crc32c")) return damaged_record(path, "not a job record");
  try {
    const std::string checksum = json.at("crc32c").get<std::string>();
    json.erase("crc32c");
    if (job_record_checksum(json) != checksum) return damaged_record(path, "checksum mismatch");
    JobRecord record;
    record.name = json.at("name").get<std::string>();
    MR_ASSIGN(record.job_id, JobId::parse(json.at("job_id").get<std::string>()));
    record.attempt = json.at("attempt").get<int64_t>();
    record.incarnation = json.at("incarnation").get<uint64_t>();
    if (!parse_job_status(json.at("status").get<std::string>(), record.status)) {
      return damaged_record(path, "unknown status");
    }
    record.max_parallelism = json.at("max_parallelism").get<uint32_t>();
    record.next_checkpoint_id = json.at("next_checkpoint_id").get<int64_t>();
    record.first_checkpoint_id = json.at("first_checkpoint_id").get<int64_t>();
    record.restored_from = json.at("restored_from").get<std::string>();
    record.spec = json.at("spec").get<std::string>();
    if (const auto changes = json.find("checkpoint_changes"); changes != json.end()) {
      record.checkpoint_changes = changes->get<std::map<std::string, std::string>>();
    }
    return record;
  } catch (const std::exception& e) {
    return damaged_record(path, e.what());
  }
}

std::string encode_checkpoint_metadata(const CheckpointMetadata& metadata) {
  ByteWriter out;
  out.put_raw(kMetadataMagic);
  out.put(kMetadataVersion);
  out.put(metadata.checkpoint_id);
  out.put_raw({reinterpret_cast<const char*>(metadata.job_id.bytes.data()), metadata.job_id.bytes.size()});
  out.put_string(metadata.job_name);
  out.put(metadata.attempt);
  out.put(metadata.completed_ms);
  out.put(static_cast<uint8_t>((metadata.final ? kMetadataFinal : 0) | (metadata.unaligned ? kMetadataUnaligned : 0)));
  out.put(metadata.max_parallelism);
  out.put_varint(metadata.handles.size());
  for (const SnapshotHandle& handle : metadata.handles) {
    out.put(handle.task.chain);
    out.put(handle.task.subtask);
    out.put_string(handle.file);
    out.put_varint(handle.bytes);
    out.put(handle.crc);
    put_files(out, handle.shared);
    put_files(out, handle.own);
    out.put_varint(handle.written);
  }
  out.put(crc32c(out.view()));
  return out.take();
}

Result<CheckpointMetadata> decode_checkpoint_metadata(std::string_view bytes, const std::string& path) {
  const auto damaged = [&path](std::string_view what) {
    return make_error(ErrorCode::kCorruptState, fmt::format("{}: {}", path, what),
                      "restore an older checkpoint with --restore, or start with --fresh");
  };
  constexpr size_t kCrcBytes = sizeof(uint32_t);
  if (bytes.size() < kMetadataMagic.size() + kCrcBytes || !bytes.starts_with(kMetadataMagic)) {
    return damaged("not checkpoint metadata");
  }
  const std::string_view body = bytes.substr(0, bytes.size() - kCrcBytes);
  if (ByteReader(bytes.substr(body.size())).get<uint32_t>() != crc32c(body)) return damaged("checksum mismatch");
  ByteReader in(body.substr(kMetadataMagic.size()));
  const auto version = in.get<uint32_t>();
  if (version == 0 || version > kMetadataVersion) {
    return make_error(ErrorCode::kIncompatibleState,
                      fmt::format("{}: format version {}; this build reads up to {}", path, version, kMetadataVersion));
  }
  CheckpointMetadata metadata;
  metadata.checkpoint_id = in.get<int64_t>();
  const std::string_view id = in.get_raw(metadata.job_id.bytes.size());
  if (in.ok()) std::memcpy(metadata.job_id.bytes.data(), id.data(), id.size());
  metadata.job_name = in.get_string();
  metadata.attempt = in.get<int64_t>();
  metadata.completed_ms = in.get<int64_t>();
  const auto flags = in.get<uint8_t>();
  metadata.final = (flags & kMetadataFinal) != 0;
  metadata.unaligned = (flags & kMetadataUnaligned) != 0;
  metadata.max_parallelism = in.get<uint32_t>();
  const uint64_t handles = in.get_varint();
  for (uint64_t i = 0; i < handles && in.ok(); ++i) {
    SnapshotHandle handle;
    handle.task.chain = in.get<uint32_t>();
    handle.task.subtask = in.get<uint32_t>();
    handle.file = in.get_string();
    handle.bytes = in.get_varint();
    handle.crc = in.get<uint32_t>();
    if (version > 1) {
      if (!get_files(in, handle.shared) || !get_files(in, handle.own)) return damaged("a file's name is not one");
      handle.written = in.get_varint();
    }
    metadata.handles.push_back(std::move(handle));
  }
  if (!in.done()) return damaged("bad length");
  return metadata;
}

}  // namespace millrace
