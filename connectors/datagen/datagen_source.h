// The `datagen` source: rows from column generators, at a rate or at full speed. Rows are numbered; split i of n makes
// the rows i, i + n, … and its state is how many it has made, so restoring and rescaling change nothing.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "data/types.h"
#include "plan/job_graph.h"
#include "runtime/spi/source.h"

namespace millrace {

struct DatagenOptions {
  struct OneColumn {
    TypePtr type;
    std::string generator;
    bool used = true;
  };
  std::vector<OneColumn> columns;  // the physical ones
  uint64_t seed = 0;
  uint64_t rows = std::numeric_limits<uint64_t>::max();  // over all splits
  double rows_per_second = 0;                            // over all splits; 0: as fast as possible
};

/// Reads options and generators; the error names the column.
Result<DatagenOptions> datagen_options(const OptionValues& options, const std::vector<SourceColumn>& columns);

Result<SourceReaderPtr> make_datagen_source(const DatagenOptions& options);

}  // namespace millrace
