// The file system below RocksDB. In test builds it is full while MILLRACE_FULL_WHILE says so (core/crash_point.h), as
// our own files are, or alone while the file exists that MILLRACE_STATE_FULL_WHILE names. In release builds it is the
// plain one. Any thread.
#pragma once

#include <rocksdb/env.h>

namespace millrace {

/// Lives as long as the process.
rocksdb::Env* rocks_env();

}  // namespace millrace
