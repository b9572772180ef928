// One input file as records with their positions: large reads into arenas that the records point into, so that nothing
// is copied. A record is a line, or for CSV a row whose quoted fields may hold line breaks. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "core/file_system.h"
#include "core/status.h"
#include "runtime/spi/record.h"

namespace millrace {

struct LinePosition {
  uint64_t offset = 0;  // of the next record
  int64_t line = 1;     // its number
};

class LineReader {
 public:
  /// `csv`: line breaks inside quotes do not end a record.
  LineReader(std::string path, bool csv) : path_(std::move(path)), csv_(csv) {}

  Status open(LinePosition at);
  /// Reads up to `max` records that start before `stop` into `out` (appending). `take_rest`: text behind the last line
  /// end counts as a record at the end of the file. Fewer records than asked for do not mean the end: see at_end().
  Status read(uint32_t max, uint64_t stop, bool take_rest, RecordBatch& out);
  [[nodiscard]] LinePosition position() const { return position_; }
  /// The last read found no further complete record in the file as it is now.
  [[nodiscard]] bool at_end() const { return at_end_; }
  [[nodiscard]] bool is_open() const { return file_ != nullptr; }
  [[nodiscard]] const std::string& path() const { return path_; }
  /// Gives file and buffers back; open() again goes on.
  void close();
  Result<uint64_t> size();

 private:
  Status fill();
  const char* find_end(const char* from) const;
  void take(const char* end, size_t line_end_bytes, bool copy, RecordBatch& out);

  std::string path_;
  bool csv_;
  std::unique_ptr<ReadableFile> file_;
  LinePosition position_;
  ArenaPtr block_;
  const char* cursor_ = nullptr;  // the next record inside the block
  const char* end_ = nullptr;     // behind the bytes read
  bool at_end_ = false;
};

}  // namespace millrace
