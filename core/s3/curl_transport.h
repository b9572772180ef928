// The transport over libcurl: connections stay open and are used again. Any thread.
#pragma once

#include <memory>

#include "core/s3/transport.h"

namespace millrace {

std::unique_ptr<S3Transport> make_curl_transport();

}  // namespace millrace
