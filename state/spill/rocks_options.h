// How RocksDB is set up. Rows only enter by ingested files, so write buffers hold nothing but marks of dropped ranges,
// and there is no write-ahead log: checkpoints are the recovery point.
#pragma once

#include <rocksdb/cache.h>
#include <rocksdb/options.h>

#include <memory>

#include "core/status.h"
#include "state/spill_store.h"

namespace millrace {

class RocksMemory final : public SpillMemory {
 public:
  explicit RocksMemory(uint64_t cache_bytes);
  std::shared_ptr<rocksdb::Cache> cache;
};

rocksdb::Options rocks_options(const std::shared_ptr<SpillMemory>& memory);

/// kCorruptState, kDiskFull or kIo, naming the store's directory.
Status rocks_status(const rocksdb::Status& status, const std::string& directory);

}  // namespace millrace
