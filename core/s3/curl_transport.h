// The transport over libcurl: connections stay open and are used again. Any thread.
#pragma once

#include <memory>
#include <string>

#include "core/s3/transport.h"

namespace millrace {

/// `ca_file`: the certificates to trust; empty: the system's.
std::unique_ptr<S3Transport> make_curl_transport(std::string ca_file);

}  // namespace millrace
