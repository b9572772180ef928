// The `csv` format: RFC 4180 records; an unquoted empty field is NULL, "" the empty text. The header line is the file
// connectors' business: they strip it and hand it over beside the records.
#pragma once

#include <vector>

#include "connectors/csv/csv_text.h"
#include "runtime/spi/format.h"

namespace millrace {

/// Columns are found by name where the records come with a header line, else by their place among the source's columns.
Result<DecoderPtr> make_csv_decoder(const CsvOptions& options, const std::vector<DecodeColumn>& columns);
EncoderPtr make_csv_encoder(const CsvOptions& options, const SchemaPtr& schema, bool with_op);

}  // namespace millrace
