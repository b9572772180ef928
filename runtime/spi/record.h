// Raw records as a source reads them: bytes of one split, copied once into an arena with room for simdjson's padding.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "data/column.h"

namespace millrace {

struct RecordHeader {
  StringRef name;
  StringRef value;
};

struct Record {
  StringRef value;          // data() is followed by at least 64 readable bytes
  StringRef key;
  bool has_value = true;    // false: tombstone
  bool has_key = false;
  int64_t offset = 0;       // Kafka offset; files: byte position of the line
  int64_t timestamp = 0;    // Kafka timestamp in ms; files: 0
  int64_t line = 0;         // files: line number from 1
  uint32_t first_header = 0;  // headers[first_header, first_header + headers)
  uint32_t headers = 0;
};

struct RecordBatch {
  std::string topic;       // files: the path
  int32_t partition = 0;
  ArenaPtr arena;
  std::shared_ptr<const std::string> header;  // CSV files with a header line: that line; the same pointer per file
  std::vector<Record> records;
  std::vector<RecordHeader> headers;
  void clear() {
    arena.reset();
    header.reset();
    records.clear();
    headers.clear();
  }
};

}  // namespace millrace
