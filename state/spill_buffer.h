// Rows on their way into a spill run: collected in any order, sorted, written. Bytes lie in chunks, so that growing
// never copies them. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "core/status.h"
#include "state/spill_store.h"

namespace millrace {

class SpillBuffer {
 public:
  /// `key` is given in parts, which are put together.
  void add(std::initializer_list<std::string_view> key, std::string_view value);
  void erase(std::initializer_list<std::string_view> key);
  [[nodiscard]] size_t rows() const { return rows_.size(); }
  /// In memory.
  [[nodiscard]] size_t bytes() const { return bytes_ + rows_.capacity() * sizeof(Row); }
  /// Sorts and writes everything; empty afterwards. REQUIRES: no key twice.
  Status write(SpillRun& run);
  /// The same as a run of its own.
  Status write_run(SpillStore& store);

 private:
  struct Row {
    uint64_t begin;  // the key's bytes behind what all keys share, so that few comparisons touch `bytes`
    const char* bytes;
    uint32_t key_bytes;
    uint32_t value_bytes;  // kErased: gone
    [[nodiscard]] std::string_view key() const { return {bytes, key_bytes}; }
  };
  static constexpr uint32_t kErased = UINT32_MAX;
  char* reserve(size_t bytes);
  void sort();
  Row& append(std::initializer_list<std::string_view> key, size_t value_bytes);

  std::vector<Row> rows_;
  std::vector<std::unique_ptr<char[]>> chunks_;
  char* at_ = nullptr;
  size_t left_ = 0;
  size_t bytes_ = 0;
};

}  // namespace millrace
