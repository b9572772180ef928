// Which record became which row while a decoder works through a batch: rows are dense, records may be skipped or bad.
#pragma once

#include <cstdint>
#include <string>

#include "runtime/spi/format.h"

namespace millrace {

class RowMap {
 public:
  explicit RowMap(DecodeResult& out) : out_(out) {}

  /// The row that the next good record fills.
  [[nodiscard]] uint32_t next() const { return out_.rows; }
  void take(uint32_t record) {
    if (!out_.record_of_row.empty() || out_.rows != record) [[unlikely]]
      note(record);
    ++out_.rows;
  }
  void skip(uint32_t /*record*/) { ++out_.skipped; }
  void bad(uint32_t record, std::string message) {
    out_.bad.push_back(BadRecord{record, ErrorCode::kBadRecord, std::move(message)});
  }

 private:
  void note(uint32_t record) {
    for (uint32_t row = static_cast<uint32_t>(out_.record_of_row.size()); row < out_.rows; ++row)
      out_.record_of_row.push_back(row);
    out_.record_of_row.push_back(record);
  }

  DecodeResult& out_;
};

}  // namespace millrace
