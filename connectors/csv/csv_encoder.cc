#include "connectors/csv/csv_format.h"
#include "connectors/json/json_encoder.h"

namespace millrace {
namespace {

/// Values have the text that JSON gives them, without its quotes.
class CsvEncoder final : public Encoder {
 public:
  CsvEncoder(const CsvOptions& options, const Schema& schema, bool with_op) : options_(options), with_op_(with_op) {
    for (const Field& field : schema.fields) {
      writers_.emplace_back(*field.type, JsonOutOptions{.decimal_numbers = true});
      is_text_.push_back(field.type->is_text());
    }
  }

  Status encode(const Batch& batch, std::span<const uint32_t> rows, std::string& bytes,
                std::vector<size_t>& ends) override {
    for (const uint32_t row : rows) {
      if (with_op_) bytes += op_text(batch.kind(row));
      for (size_t i = 0; i < writers_.size(); ++i) {
        if (i > 0 || with_op_) bytes.push_back(options_.delimiter);
        append(*batch.columns[i], row, i, bytes);
      }
      ends.push_back(bytes.size());
    }
    return {};
  }

 private:
  void append(const Column& column, uint32_t row, size_t i, std::string& bytes) {
    if (column.is_null(row)) return;
    if (is_text_[i]) {
      append_csv_text(bytes, column.values<StringRef>()[row].view(), options_.delimiter);
      return;
    }
    value_.clear();
    writers_[i].append(column, row, value_);
    std::string_view text = value_;
    if (text.size() >= 2 && text.front() == '"' && text.back() == '"') text = text.substr(1, text.size() - 2);
    append_csv_text(bytes, text, options_.delimiter);
  }

  CsvOptions options_;
  bool with_op_;
  std::vector<JsonValueWriter> writers_;
  std::vector<bool> is_text_;
  std::string value_;
};

}  // namespace

EncoderPtr make_csv_encoder(const CsvOptions& options, const SchemaPtr& schema, bool with_op) {
  return std::make_unique<CsvEncoder>(options, *schema, with_op);
}

}  // namespace millrace
