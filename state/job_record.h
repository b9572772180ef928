// Codecs of the two small files of a job's directory: job-<attempt>.json (JSON for people, with a checksum of itself)
// and _metadata.
#pragma once

#include <string>
#include <string_view>

#include "core/status.h"
#include "state/checkpoint_store.h"

namespace millrace {

std::string encode_job_record(const JobRecord& record);
/// kCorruptState naming `path`.
Result<JobRecord> decode_job_record(std::string_view bytes, const std::string& path);

std::string encode_checkpoint_metadata(const CheckpointMetadata& metadata);
Result<CheckpointMetadata> decode_checkpoint_metadata(std::string_view bytes, const std::string& path);

}  // namespace millrace
