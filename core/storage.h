// The storage of this process, chosen by path: s3://… is object storage, anything else the local disk. What keeps
// checkpoints, savepoints or output goes through storage(); configuration and job files stay with local_file_system().
// Any thread.
#pragma once

#include "core/file_system.h"
#include "core/s3/settings.h"

namespace millrace {

FileSystem& storage();
/// Which one a path means.
FileSystem& file_system_for(std::string_view path);

/// Before the first use of an s3:// path; later calls have no effect. The settings are looked at then.
void configure_s3(S3Settings settings);

}  // namespace millrace
