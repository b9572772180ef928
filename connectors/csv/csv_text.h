// CSV by RFC 4180: fields of one record, and texts back into fields. A record is one row of the table; line breaks
// inside quotes belong to it. Pure functions; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "data/column.h"
#include "plan/job_graph.h"

namespace millrace {

struct CsvOptions {
  char delimiter = ',';
  bool header = true;

  static CsvOptions from(const OptionValues& options);
};

struct CsvField {
  std::string_view text;
  bool quoted = false;  // "" is an empty text, nothing is NULL
};

/// Splits a record (without its line end). Quotes are removed; fields with doubled quotes are kept in `arena`.
/// False: a quote is not closed, or text follows a closing quote.
bool split_csv(std::string_view record, char delimiter, std::vector<CsvField>& fields, Arena& arena);

/// Quoted where needed.
void append_csv_text(std::string& out, std::string_view text, char delimiter);

/// The line of names in front of a file, without a line end.
std::string csv_header(const Schema& schema, const CsvOptions& options, bool with_op);

}  // namespace millrace
