#include "state/spill/rocks_options.h"

#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>

#include <algorithm>

#include "state/spill/rocks_faults.h"

namespace millrace {

RocksMemory::RocksMemory(uint64_t cache_bytes) {
  rocksdb::LRUCacheOptions options;
  options.capacity = std::max(cache_bytes, kSpillCacheFloorBytes);
  options.high_pri_pool_ratio = 0.8;  // index and filter blocks must not be what rows evict
  cache = rocksdb::NewLRUCache(options);
}

std::shared_ptr<SpillMemory> make_spill_memory(uint64_t cache_bytes) {
  return std::make_shared<RocksMemory>(cache_bytes);
}

namespace {

rocksdb::BlockBasedTableOptions table_options(const RocksMemory& memory) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = memory.cache;
  table.cache_index_and_filter_blocks = true;
  table.cache_index_and_filter_blocks_with_high_priority = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  // In pieces: what does not fit into the cache costs a read of 4 KB and not of a file's whole filter.
  table.partition_filters = true;
  table.index_type = rocksdb::BlockBasedTableOptions::kTwoLevelIndexSearch;
  table.metadata_block_size = 4 * 1024;
  table.pin_top_level_index_and_filter = true;
  table.checksum = rocksdb::kXXH3;  // Debian's build has no crc32 instruction
  table.format_version = 5;
  table.block_size = 4 * 1024;  // rows are looked up all over the keys, and a block is read for each
  table.data_block_index_type = rocksdb::BlockBasedTableOptions::kDataBlockBinaryAndHash;
  return table;
}

void set_compaction(rocksdb::Options& options) {
  options.max_background_jobs = 2;
  options.target_file_size_base = 64 << 20;
  options.level0_file_num_compaction_trigger = 8;
  // Nothing but marks of dropped ranges would be held up; runs wait by themselves.
  options.level0_slowdown_writes_trigger = 1 << 20;
  options.level0_stop_writes_trigger = 1 << 20;
  // Not in tiers (kCompactionStyleUniversal), which would rewrite replaced rows less often: while such a compaction
  // runs, RocksDB 7.8 puts ingested files where look-ups find an older version of a row first.
  options.level_compaction_dynamic_level_bytes = true;
  // Large, so that replaced rows are rewritten less; panes of windows go to the last level anyway.
  options.max_bytes_for_level_base = 1 << 30;
}

}  // namespace

rocksdb::Options rocks_options(const std::shared_ptr<SpillMemory>& memory) {
  rocksdb::Options options;
  options.env = rocks_env();
  options.create_if_missing = true;
  options.table_factory.reset(
      rocksdb::NewBlockBasedTableFactory(table_options(static_cast<const RocksMemory&>(*memory))));
  options.write_buffer_size = 1 << 20;
  options.compression = rocksdb::kLZ4Compression;
  set_compaction(options);
  options.max_open_files = 512;
  options.info_log_level = rocksdb::WARN_LEVEL;
  options.keep_log_file_num = 1;
  options.stats_dump_period_sec = 0;
  return options;
}

Status rocks_status(const rocksdb::Status& status, const std::string& directory) {
  if (status.ok()) return {};
  if (status.IsCorruption()) {
    return make_error(
        ErrorCode::kCorruptState, "the state store " + directory + " is damaged: " + status.ToString(),
        "check the disk; what a running job has on it is a copy, and it goes on from its last checkpoint");
  }
  if (status.IsNoSpace()) {
    return make_error(ErrorCode::kDiskFull, "no space for the state store " + directory + ": " + status.ToString());
  }
  return make_error(ErrorCode::kIo, "the state store " + directory + ": " + status.ToString());
}

}  // namespace millrace
