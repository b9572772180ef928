// The `file` source: every file is a split, owned by hash(path) mod parallelism, so that no enumerator is needed. Its
// state is the byte offset and number of the next record. Files of one subtask are read aligned by event time.
#pragma once

#include "runtime/spi/factories.h"

namespace millrace {

struct FileSourceOptions {
  std::string path;
  bool follow = false;      // wait for more lines and files
  bool csv = false;         // records may span lines
  bool csv_header = false;  // the first record of a file names the columns
  int64_t discover_every_ms = 5000;
};

SourceReaderPtr make_file_source(FileSourceOptions options);

}  // namespace millrace
