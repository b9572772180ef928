// Rows as lines, for sinks that write text.
#pragma once

#include <string>
#include <vector>

#include "runtime/spi/format.h"

namespace millrace {

/// Appends each selected row of `batch` and a line feed. `ends` is scratch space.
inline Status append_lines(Encoder& encoder, const Batch& batch, std::string& out, std::vector<size_t>& ends) {
  Status status;
  for_each_row(batch, [&](uint32_t row) {
    if (!status) return;
    ends.clear();
    status = encoder.encode(batch, {&row, 1}, out, ends);
    out.push_back('\n');
  });
  return status;
}

}  // namespace millrace
