// What Millrace does with objects: one function per operation of S3, over the client. Any thread; blocks.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/s3/client.h"

namespace millrace {

struct S3ListEntry {
  std::string key;  // a common prefix ends in '/'
  uint64_t bytes = 0;
};

Result<std::string> s3_get(S3Client& client, const S3Path& path);
/// Up to `size` bytes; 0 behind the end.
Result<size_t> s3_get_range(S3Client& client, const S3Path& path, uint64_t offset, char* into, size_t size);
/// The last bytes of an object, at most `size`, with its whole size: all of a small one in one request. kNotFound.
struct S3Tail {
  uint64_t object_bytes = 0;
  std::string bytes;
};
Result<S3Tail> s3_get_tail(S3Client& client, const S3Path& path, size_t size);
/// Nothing when there is no such object (or no such bucket: S3 does not tell them apart here).
Result<std::optional<uint64_t>> s3_size(S3Client& client, const S3Path& path);

/// Replaces. The body is checked by S3 (Content-MD5 and the signature's SHA-256).
Status s3_put(S3Client& client, const S3Path& path, std::string_view bytes);
/// kRefusedByState when there is an object that holds something else. One that holds the same counts as ours, written
/// by a try whose answer was lost: who must tell two owners apart puts something of his own into it.
Status s3_put_new(S3Client& client, const S3Path& path, std::string_view bytes);
/// Inside S3, at most 5 GB.
Status s3_copy(S3Client& client, const S3Path& from, const S3Path& to);
/// Also when it is not there.
Status s3_remove(S3Client& client, const S3Path& path);
/// All of one bucket; up to 1,000 in a request.
Status s3_remove_all(S3Client& client, const std::string& bucket, const std::vector<std::string>& keys);

/// Keys that start with prefix.key, ascending, over as many pages as it takes. `deep` also those behind a further
/// slash; else those are gathered into common prefixes. `max`: 0 for all.
Result<std::vector<S3ListEntry>> s3_list(S3Client& client, const std::string& bucket, const std::string& prefix,
                                         bool deep, uint32_t max = 0);

/// Refuses servers that take If-None-Match and do not act on it: of two owners of one name both would win. Writes and
/// removes an object beside `path`.
Status s3_check_conditional_writes(S3Client& client, const S3Path& path);

}  // namespace millrace
