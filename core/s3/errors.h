// Answers of S3 as errors of the catalogue: what was asked for which object, what S3 said, and what helps.
#pragma once

#include <string>

#include "core/s3/transport.h"
#include "core/status.h"

namespace millrace {

/// kNotFound: the object is missing. kRefusedByState: a condition did not hold. kExternalRefused: access, names,
/// settings, also a missing bucket. Transient ones: overload and connections.
Error s3_error(std::string_view method, const S3Path& path, const Result<S3HttpReply>& reply, uint32_t tries);

}  // namespace millrace
