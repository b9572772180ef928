// The `json` format's encoder ("JSON out" of the job file): one object per row, all columns in order, no blanks.
// Used by sinks, print, tap and tests. One encoder belongs to one subtask; no locks.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "plan/job_graph.h"
#include "runtime/spi/format.h"

namespace millrace {

struct JsonOutOptions {
  bool iso_timestamps = false;   // else epoch milliseconds
  bool decimal_numbers = false;  // else texts
};

/// Appends single values; children for ARRAY, MAP, ROW.
class JsonValueWriter {
 public:
  JsonValueWriter(const DataType& type, const JsonOutOptions& options);
  /// The value as JSON text.
  void append(const Column& column, uint32_t row, std::string& out) const;

 private:
  void append_scalar(const Column& column, uint32_t row, std::string& out) const;
  void append_map(const Column& column, uint32_t row, std::string& out) const;

  TypeKind kind_;
  int precision_;
  int scale_;
  JsonOutOptions options_;
  std::vector<JsonValueWriter> children_;
  std::vector<std::string> field_keys_;  // "name": of ROW fields
};

/// `"text"` with the escapes that JSON demands and no others; the text is UTF-8 (core/text.h mends what is not).
void append_json_utf8(std::string& out, std::string_view text);
std::string_view op_text(RowKind kind);  // "+I"

/// `with_op`: the first field is `op`, the kind of the row.
EncoderPtr make_json_encoder(const SchemaPtr& schema, const JsonOutOptions& options, bool with_op);

}  // namespace millrace
