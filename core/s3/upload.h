// Brings what a spool holds to S3: one PUT, or a multipart upload when it is large. The object appears as a whole or
// not at all. Blocks; one thread per spool.
#pragma once

#include "core/s3/client.h"
#include "core/s3/spool.h"

namespace millrace {

/// From this size on in parts. S3 asks for 5 MiB at least, and at most 10,000 parts: they grow with the file.
constexpr uint64_t kS3PartBytes = 16 << 20;
uint64_t s3_part_bytes(uint64_t size);

/// Replaces what is there. A multipart upload that fails is aborted, so that S3 keeps (and bills) no parts.
Status s3_upload(S3Client& client, const S3Path& path, S3Spool& spool);
/// kRefusedByState when there is an object already. For small ones: one request, at most 64 MiB.
Status s3_upload_new(S3Client& client, const S3Path& path, S3Spool& spool);

}  // namespace millrace
