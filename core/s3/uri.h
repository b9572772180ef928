// Names on S3: s3://bucket/key, and the percent-encoding that signatures are computed over. Pure functions.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/status.h"

namespace millrace {

struct S3Path {
  std::string bucket;
  std::string key;  // without a slash at its begin or end; empty: the bucket
  [[nodiscard]] std::string text() const { return "s3://" + bucket + (key.empty() ? "" : "/" + key); }
  /// What the keys below this "directory" begin with.
  [[nodiscard]] std::string children() const { return key.empty() ? "" : key + "/"; }
};

/// kBadValue: no bucket, or one that S3 does not allow. Repeated slashes count as one.
Result<S3Path> parse_s3_path(std::string_view path);

/// Everything but A-Z a-z 0-9 - . _ ~ as %XX; slashes stay when `keep_slashes`.
std::string percent_encode(std::string_view text, bool keep_slashes);
std::string percent_decode(std::string_view text);

using S3Pairs = std::vector<std::pair<std::string, std::string>>;

/// name=value&…, encoded and sorted as in a canonical request.
std::string canonical_query(S3Pairs query);

}  // namespace millrace
